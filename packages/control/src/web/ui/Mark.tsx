/** The mark and the name. */
import { texts } from "../Texts.ts"

/** A pier with a boat at it. Decoration: the name stands beside it or its place says who speaks. */
export const Mark = ({ className = "size-7" }: { readonly className?: string }) => (
  <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
    <rect width="32" height="32" rx="9" className="fill-accent" />
    <path
      d="M10 7v18M10 16h7.5a4.5 4.5 0 0 1 0 9H10"
      fill="none"
      className="stroke-on-accent"
      strokeWidth="3.2"
      strokeLinecap="round"
      strokeLinejoin="round"
    />
  </svg>
)

export const Wordmark = () => (
  <span className="flex items-center gap-2.5">
    <Mark />
    <span className="text-[1.0625rem] font-semibold tracking-tight">{texts.name}</span>
  </span>
)
