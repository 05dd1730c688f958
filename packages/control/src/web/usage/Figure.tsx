/** A panel about one number: its title, what goes with it, the number and of how much. What explains it is inside. */
import type { ReactNode } from "react"
import { compact } from "../Format.ts"
import { Panel } from "../ui/Panel.tsx"

export const Figure = ({
  id,
  title,
  aside,
  tokens,
  of,
  children,
}: {
  readonly id: string
  readonly title: string
  readonly aside?: string
  readonly tokens: number
  readonly of: string
  readonly children: ReactNode
}) => (
  <Panel aria-labelledby={id} className="p-6 sm:p-7">
    <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
      <h2 id={id} className="font-semibold">
        {title}
      </h2>
      {aside !== undefined && <p className="text-sm text-muted">{aside}</p>}
    </div>
    <p className="mt-4 flex flex-wrap items-baseline gap-x-2.5">
      <span className="text-5xl font-semibold tracking-tighter tabular-nums">{compact(tokens)}</span>
      <span className="text-lg text-muted">{of}</span>
    </p>
    {children}
  </Panel>
)

/** What the customer should know about it now. */
export const Warning = ({ children }: { readonly children: ReactNode }) => (
  <p role="status" className="mt-5 rounded-xl bg-danger-soft px-4 py-3 font-medium text-danger">
    {children}
  </p>
)
