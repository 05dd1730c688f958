/** The newest calls, one line each. */
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
  readonly estimated: boolean
}

const columns = ["prompt", "cached", "completion", "charged"] as const

export const Calls = ({ calls }: { readonly calls: ReadonlyArray<Call> }) => (
  <Panel aria-labelledby="calls" className="p-6 sm:p-7">
    <h2 id="calls" className="font-semibold">
      {t.recent}
    </h2>
    {/* On a phone the table scrolls sideways inside its panel. Focusable, so that the keyboard can do it too. */}
    <div
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      role="group"
      aria-label={t.recent}
      className="-mx-6 mt-4 overflow-x-auto px-6 sm:-mx-7 sm:px-7"
    >
      <table className="w-full border-collapse text-[0.9375rem] whitespace-nowrap tabular-nums">
        <thead>
          <tr className="border-b border-line text-left text-sm text-muted">
            <th className="py-2 pr-6 font-normal">{t.columns.at}</th>
            <th className="py-2 pr-6 font-normal">{t.columns.model}</th>
            {columns.map((column) => (
              <th key={column} className="py-2 pl-6 text-right font-normal">
                {t.columns[column]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {calls.map((call, place) => (
            // The newest come first, so the place from the end names a call.
            <tr key={`${call.at}-${calls.length - place}`} className="border-b border-line/60 last:border-0">
              <td className="py-2.5 pr-6">{moment(call.at)}</td>
              <td className="py-2.5 pr-6 text-muted">{call.model}</td>
              <td className="py-2.5 pl-6 text-right">{full(call.prompt)}</td>
              <td className="py-2.5 pl-6 text-right text-muted">{full(call.cached)}</td>
              <td className="py-2.5 pl-6 text-right">{full(call.completion)}</td>
              <td className="py-2.5 pl-6 text-right font-medium">
                {call.estimated && (
                  <span className="mr-2 font-normal text-muted" title={t.estimatedNote}>
                    {t.estimated}
                  </span>
                )}
                {full(call.charged)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
    <p className="mt-4 text-sm text-muted">
      {t.chargeNote}
      {calls.some(({ estimated }) => estimated) && ` ${t.estimatedNote}`}
    </p>
  </Panel>
)
