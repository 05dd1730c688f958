/** A number with its name and the colour that stands for it in a bar. Inside a `dl`. */
import { full } from "../Format.ts"

export const Swatch = ({ className }: { readonly className: string }) => (
  <span aria-hidden="true" className={`size-2.5 shrink-0 rounded-full ${className}`} />
)

export const Amount = ({
  label,
  tokens,
  swatch,
}: {
  readonly label: string
  readonly tokens: number
  readonly swatch: string
}) => (
  <div>
    <dt className="flex items-center gap-2 text-sm text-muted">
      <Swatch className={swatch} />
      {label}
    </dt>
    <dd className="mt-1 font-medium sm:text-lg tabular-nums">{full(tokens)}</dd>
  </div>
)
