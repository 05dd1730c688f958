/** The newest calls, one line each. */
import { clsx } from "clsx"
import { full, moment } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Panel } from "../ui/Panel.tsx"

const t = texts.usage

export interface Call {
  readonly at: number
  readonly model: string
  readonly prompt: number
  readonly cached: number
  readonly completion: number
  readonly charged: number
  readonly background: boolean
  readonly estimated: boolean
}

/** Columns that a phone has no room for: it says them in words below the others. */
const counts = ["prompt", "cached", "completion"] as const

export const Calls = ({ calls }: { readonly calls: ReadonlyArray<Call> }) => (
  <Panel aria-labelledby="calls" className="p-6 sm:p-7">
    <h2 id="calls" className="font-semibold">
      {t.recent}
    </h2>
    <table className="mt-4 w-full border-collapse text-[0.9375rem] tabular-nums">
      <thead>
        <tr className="border-b border-line text-left text-sm whitespace-nowrap text-muted">
          <th className="py-2 pr-4 font-normal">{t.columns.at}</th>
          <th className="hidden py-2 pr-4 font-normal md:table-cell">{t.columns.model}</th>
          {counts.map((column) => (
            <th key={column} className="hidden py-2 pl-6 text-right font-normal md:table-cell">
              {t.columns[column]}
            </th>
          ))}
          <th className="py-2 pl-4 text-right font-normal">{t.columns.charged}</th>
        </tr>
      </thead>
      <tbody>
        {calls.map((call, place) => (
          // The newest come first, so the place from the end names a call.
          <tr key={`${call.at}-${calls.length - place}`} className="border-b border-line/60 align-top last:border-0">
            <td className="py-2.5 pr-4 whitespace-nowrap">
              {moment(call.at)}
              <span className="block text-sm text-muted md:hidden">{call.model}</span>
              {call.background && <span className="block text-sm text-muted">{t.byItself.legend}</span>}
            </td>
            <td className="hidden py-2.5 pr-4 text-muted md:table-cell">{call.model}</td>
            {counts.map((column) => (
              <td
                key={column}
                className={clsx("hidden py-2.5 pl-6 text-right md:table-cell", column === "cached" && "text-muted")}
              >
                {full(call[column])}
              </td>
            ))}
            <td className="py-2.5 pl-4 text-right font-medium">
              {full(call.charged)}
              <span className="block text-sm font-normal text-muted md:hidden">
                {t.inAndOut(full(call.prompt), full(call.completion))}
              </span>
              {call.estimated && (
                <span className="block text-sm font-normal text-muted" title={t.estimatedNote}>
                  {t.estimated}
                </span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
    <p className="mt-4 text-sm text-muted">
      {t.chargeNote}
      {calls.some(({ estimated }) => estimated) && ` ${t.estimatedNote}`}
    </p>
  </Panel>
)
