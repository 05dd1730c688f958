/** Charged tokens by day as bars, the agent's own turns in another shade; the same numbers are read out as a list. */
import { clsx } from "clsx"
import { compact, full, percent, shortDay } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Panel } from "../ui/Panel.tsx"
import { Swatch } from "./Amount.tsx"

const t = texts.usage

export interface Day {
  readonly day: string
  readonly charged: number
  readonly background: number
  readonly requests: number
}

/** Bars that still fit side by side on a phone. */
const shown = 31

export const Days = ({ days: all }: { readonly days: ReadonlyArray<Day> }) => {
  const days = all.toSorted((a, b) => a.day.localeCompare(b.day)).slice(-shown)
  const highest = Math.max(0, ...days.map(({ charged }) => charged))
  const [first, last] = [days[0], days.at(-1)]
  return (
    <Panel aria-labelledby="days" className="flex flex-col p-6 sm:p-7">
      <div className="flex items-baseline justify-between gap-4">
        <h2 id="days" className="font-semibold">
          {t.byDay}
        </h2>
        {highest > 0 && <p className="text-sm text-muted tabular-nums">{t.highest(compact(highest))}</p>}
      </div>
      {first === undefined || last === undefined ? (
        <p className="mt-4 max-w-xs text-muted">{t.byDayEmpty}</p>
      ) : (
        <>
          <ul className="mt-6 flex h-44 grow items-end gap-[3px] border-b border-line sm:gap-1">
            {days.map(({ day, charged, background, requests }) => {
              const label = t.dayLabel(shortDay(day), full(charged), requests, background > 0 ? full(background) : null)
              return (
                <li
                  key={day}
                  title={label}
                  className="group flex h-full max-w-10 min-w-0 grow flex-col justify-end gap-px"
                >
                  <span className="sr-only">{label}</span>
                  {background > 0 && (
                    <span
                      aria-hidden="true"
                      className="min-h-0.5 w-full rounded-t-[4px] bg-quiet transition-[height] duration-500"
                      style={{ height: `${percent(background, highest)}%` }}
                    />
                  )}
                  <span
                    aria-hidden="true"
                    className={clsx(
                      "w-full bg-accent transition-[height] duration-500 group-hover:bg-accent-strong",
                      charged > background && "min-h-0.5",
                      background === 0 && "rounded-t-[4px]",
                    )}
                    style={{ height: `${percent(charged - background, highest)}%` }}
                  />
                </li>
              )
            })}
          </ul>
          <p aria-hidden="true" className="mt-2 flex justify-between text-sm text-muted">
            <span>{shortDay(first.day)}</span>
            {days.length > 1 && <span>{shortDay(last.day)}</span>}
          </p>
          {days.some(({ background }) => background > 0) && (
            <p aria-hidden="true" className="mt-4 flex flex-wrap gap-x-5 gap-y-1 text-sm text-muted">
              <span className="flex items-center gap-2">
                <Swatch className="bg-accent" />
                {t.asked}
              </span>
              <span className="flex items-center gap-2">
                <Swatch className="bg-quiet" />
                {t.byItself.legend}
              </span>
            </p>
          )}
        </>
      )}
    </Panel>
  )
}
