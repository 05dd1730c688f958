/** Parts of a whole as one bar, with what it says for those who don't see it. A part that is there at all is seen. */
import { clsx } from "clsx"
import { Progress } from "radix-ui"
import { percent } from "../Format.ts"

export interface Part {
  readonly tokens: number
  readonly className: string
}

export const Bar = ({
  label,
  value,
  max,
  parts,
  className,
}: {
  readonly label: string
  readonly value: number
  readonly max: number
  readonly parts: ReadonlyArray<Part>
  readonly className?: string
}) => (
  <Progress.Root
    value={Math.min(value, max)}
    max={Math.max(1, max)}
    aria-label={label}
    className={clsx("flex gap-0.5 overflow-hidden rounded-full bg-line", className)}
  >
    {parts.map((part) => (
      <div
        key={part.className}
        className={clsx("h-full transition-[width] duration-500", part.tokens > 0 && "min-w-1", part.className)}
        style={{ width: `${percent(part.tokens, max)}%` }}
      />
    ))}
  </Progress.Root>
)
