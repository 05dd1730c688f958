/** This month's charged tokens by model, what the agent used by itself in another shade. */
import { full, percent } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Panel } from "../ui/Panel.tsx"
import { Bar } from "./Bar.tsx"

const t = texts.usage

export interface ModelUse {
  readonly model: string
  readonly charged: number
  readonly background: number
  readonly requests: number
}

export const Models = ({ models }: { readonly models: ReadonlyArray<ModelUse> }) => {
  const all = models.reduce((sum, { charged }) => sum + charged, 0)
  return (
    <Panel aria-labelledby="models" className="p-6 sm:p-7">
      <h2 id="models" className="font-semibold">
        {t.byModel}
      </h2>
      {models.length === 0 && <p className="mt-4 text-muted">{t.byModelEmpty}</p>}
      <ul className="mt-5 space-y-5">
        {models.map(({ model, charged, background, requests }) => (
          <li key={model}>
            <p className="flex flex-wrap items-baseline justify-between gap-x-4">
              <span className="font-medium">{model}</span>
              <span className="text-sm text-muted tabular-nums">{t.calls(requests)}</span>
            </p>
            <Bar
              label={t.modelLabel(model, full(charged), full(background))}
              value={charged}
              max={all}
              parts={[
                { tokens: charged - background, className: "bg-accent" },
                { tokens: background, className: "bg-quiet" },
              ]}
              className="mt-2 h-2"
            />
            <p className="mt-1.5 flex justify-between gap-4 text-sm tabular-nums">
              <span>{full(charged)}</span>
              <span className="text-muted">{Math.round(percent(charged, all))}%</span>
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  )
}
