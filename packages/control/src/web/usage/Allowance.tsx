/** This month's tokens: used, held for calls under way, and what is left until when. */
import { Progress } from "radix-ui"
import { compact, day, full, percent } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Panel } from "../ui/Panel.tsx"

const t = texts.usage
const near = 0.9

export interface Numbers {
  readonly used: number
  readonly held: number
  readonly limit: number
  readonly resetsAt: number
}

const Amount = ({
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
      <span aria-hidden="true" className={`size-2.5 shrink-0 rounded-full ${swatch}`} />
      {label}
    </dt>
    <dd className="mt-1 font-medium sm:text-lg tabular-nums">{full(tokens)}</dd>
  </div>
)

export const Allowance = ({ used, held, limit, resetsAt }: Numbers) => {
  const left = Math.max(0, limit - used - held)
  const warning = used >= limit ? t.atLimit(day(resetsAt)) : used >= limit * near ? t.nearLimit : undefined
  return (
    <Panel aria-labelledby="month" className="p-6 sm:p-7">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
        <h2 id="month" className="font-semibold">
          {t.thisMonth}
        </h2>
        <p className="text-sm text-muted">{t.resets(day(resetsAt))}</p>
      </div>
      <p className="mt-4 flex flex-wrap items-baseline gap-x-2.5">
        <span className="text-5xl font-semibold tracking-tighter tabular-nums">{compact(used)}</span>
        <span className="text-lg text-muted">{t.ofLimit(compact(limit))}</span>
      </p>
      <Progress.Root
        value={Math.min(used, limit)}
        max={Math.max(1, limit)}
        aria-label={t.barLabel(full(used), full(limit))}
        className="mt-5 flex h-3 gap-0.5 overflow-hidden rounded-full bg-line"
      >
        <Progress.Indicator
          className={`h-full ${used > 0 ? "min-w-1" : ""} transition-[width] duration-500 ${warning === undefined ? "bg-accent" : "bg-danger"}`}
          style={{ width: `${percent(used, limit)}%` }}
        />
        <div
          className="h-full bg-accent/45 transition-[width] duration-500"
          style={{ width: `${percent(held, limit)}%` }}
        />
      </Progress.Root>
      <dl className="mt-6 grid grid-cols-3 gap-x-4 sm:gap-x-6">
        <Amount label={t.used} tokens={used} swatch={warning === undefined ? "bg-accent" : "bg-danger"} />
        <Amount label={t.held} tokens={held} swatch="bg-accent/45" />
        <Amount label={t.left} tokens={left} swatch="bg-line" />
      </dl>
      {warning !== undefined && (
        <p role="status" className="mt-5 rounded-xl bg-danger-soft px-4 py-3 font-medium text-danger">
          {warning}
        </p>
      )}
    </Panel>
  )
}
