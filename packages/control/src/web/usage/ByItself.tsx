/** What the agent does by itself (heartbeat, scheduled tasks), of the most that it may in a month. */
import { compact, day, full } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Bar } from "./Bar.tsx"
import { Figure, Warning } from "./Figure.tsx"

const t = texts.usage.byItself

export const ByItself = ({
  used,
  cap,
  resetsAt,
}: {
  readonly used: number
  readonly cap: number
  readonly resetsAt: number
}) => (
  <Figure id="by-itself" title={t.title} tokens={used} of={texts.usage.ofLimit(compact(cap))}>
    <Bar
      label={texts.usage.barLabel(full(used), full(cap))}
      value={used}
      max={cap}
      parts={[{ tokens: used, className: "bg-quiet" }]}
      className="mt-5 h-3"
    />
    {used >= cap ? <Warning>{t.reached(day(resetsAt))}</Warning> : <p className="mt-5 text-muted">{t.note}</p>}
  </Figure>
)
