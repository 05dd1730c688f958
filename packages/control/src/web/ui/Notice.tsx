/** What a page says when it has nothing else to show: what happened, and what to do about it. */
import { clsx } from "clsx"
import type { LucideIcon } from "lucide-react"
import type { ReactNode } from "react"

export const Notice = ({
  icon: Icon,
  tone = "calm",
  title,
  text,
  children,
}: {
  readonly icon: LucideIcon
  readonly tone?: "calm" | "good" | "bad"
  readonly title: string
  readonly text: string
  readonly children?: ReactNode
}) => (
  <div>
    <span
      className={clsx("inline-grid size-12 place-items-center rounded-2xl", {
        "bg-sunken text-muted": tone === "calm",
        "bg-accent-soft text-accent": tone === "good",
        "bg-danger-soft text-danger": tone === "bad",
      })}
    >
      <Icon aria-hidden="true" className="size-6" />
    </span>
    <h1 className="mt-6 text-3xl font-semibold sm:text-4xl">{title}</h1>
    <p className="mt-3 max-w-prose text-lg leading-relaxed text-muted">{text}</p>
    {children !== undefined && <div className="mt-8 flex flex-wrap gap-3">{children}</div>}
  </div>
)
