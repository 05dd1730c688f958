/** This month's tokens: used, held for calls under way, and what is left until when. */
import { compact, day, full } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Amount } from "./Amount.tsx"
import { Bar } from "./Bar.tsx"
import { Figure, Warning } from "./Figure.tsx"

const t = texts.usage
const near = 0.9

export interface Numbers {
  readonly used: number
  readonly held: number
  readonly limit: number
  readonly resetsAt: number
}

export const Allowance = ({ used, held, limit, resetsAt }: Numbers) => {
  const left = Math.max(0, limit - used - held)
  const warning = used >= limit ? t.atLimit(day(resetsAt)) : used >= limit * near ? t.nearLimit : undefined
  const colour = warning === undefined ? "bg-accent" : "bg-danger"
  return (
    <Figure id="month" title={t.thisMonth} aside={t.resets(day(resetsAt))} tokens={used} of={t.ofLimit(compact(limit))}>
      <Bar
        label={t.barLabel(full(used), full(limit))}
        value={used}
        max={limit}
        parts={[
          { tokens: used, className: colour },
          { tokens: held, className: "bg-accent/45" },
        ]}
        className="mt-5 h-3"
      />
      <dl className="mt-6 grid grid-cols-3 gap-x-4 sm:gap-x-6">
        <Amount label={t.used} tokens={used} swatch={colour} />
        <Amount label={t.held} tokens={held} swatch="bg-accent/45" />
        <Amount label={t.left} tokens={left} swatch="bg-line" />
      </dl>
      {warning !== undefined && <Warning>{warning}</Warning>}
    </Figure>
  )
}
