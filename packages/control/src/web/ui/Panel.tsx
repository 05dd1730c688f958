/** A raised surface that holds one thing. */
import { clsx } from "clsx"
import type { ComponentProps } from "react"

export const Panel = ({ className, ...rest }: ComponentProps<"section">) => (
  <section {...rest} className={clsx("rounded-2xl border border-line bg-surface shadow-card", className)} />
)
