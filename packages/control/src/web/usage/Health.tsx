/** How the agent is behind its phase: every side of its health in words, its process, its storage, and what it last wrote. */
import { useQuery } from "@tanstack/react-query"
import { clsx } from "clsx"
import { Check, CircleAlert } from "lucide-react"
import { failureOf } from "../client/Failure.ts"
import { healthQuery } from "../client/Queries.ts"
import { full, moment, storage } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Panel } from "../ui/Panel.tsx"
import { Bone } from "../ui/Skeleton.tsx"
import { Bar } from "./Bar.tsx"
import { Logs } from "./Logs.tsx"

const t = texts.usage.health

interface Condition {
  readonly type: string
  readonly status: "True" | "False"
  readonly message: string
  readonly since: number
}

/** For people who keep the cluster; a turn in the line is told by `Ready` already. */
const notForCustomers: ReadonlyArray<string> = ["DeletionBlocked", "StartQueued"]

const Sides = ({ conditions }: { readonly conditions: ReadonlyArray<Condition> }) => (
  <ul className="mt-4 space-y-3">
    {conditions
      .filter(({ type }) => !notForCustomers.includes(type))
      .map(({ type, status, message, since }) => {
        const isWell = status === "True"
        const Icon = isWell ? Check : CircleAlert
        return (
          <li key={type} className="flex items-start gap-3">
            <Icon aria-hidden="true" className={clsx("mt-1 size-4 shrink-0", isWell ? "text-accent" : "text-danger")} />
            <div className="min-w-0">
              <span className="font-medium">{t.sides[type] ?? type}</span>
              <span className="sr-only">{isWell ? t.well : t.ill}</span>
              <span className="text-sm whitespace-nowrap text-muted"> {t.since(moment(since))}</span>
              <p className="max-w-prose text-[0.9375rem] text-muted">{message}</p>
            </div>
          </li>
        )
      })}
  </ul>
)

const Fact = ({ name, children }: { readonly name: string; readonly children: React.ReactNode }) => (
  <div className="flex flex-wrap items-baseline justify-between gap-x-4">
    <dt className="text-sm text-muted">{name}</dt>
    <dd className="text-[0.9375rem] tabular-nums">{children}</dd>
  </div>
)

export const Health = () => {
  const health = useQuery(healthQuery)
  const { data } = health
  const lastEnd = data?.process?.lastEnd ?? null
  const failure = health.error === null ? undefined : failureOf(health.error).kind
  return (
    <Panel aria-labelledby="health" className="p-6 sm:p-7">
      <h2 id="health" className="font-semibold">
        {t.title}
      </h2>
      {data === undefined && failure === undefined && <Bone className="mt-4 h-24" />}
      {failure !== undefined && (
        <p role="status" className="mt-3 max-w-prose text-[0.9375rem] text-muted">
          {data !== undefined ? t.old : failure === "notFound" ? t.notYet : t.unavailable}
        </p>
      )}
      {data !== undefined && (
        <div className="grid gap-x-12 gap-y-6 lg:grid-cols-[3fr_2fr]">
          <Sides conditions={data.conditions} />
          <dl className="space-y-2 lg:mt-4">
            <Fact name={t.answers}>{data.answers === null ? t.notAsked : data.answers ? t.yes : t.no}</Fact>
            {data.process !== null && data.process.startedAt !== null && (
              <Fact name={t.runningSince}>{moment(data.process.startedAt)}</Fact>
            )}
            {data.process !== null && <Fact name={t.restarts}>{full(data.process.restarts)}</Fact>}
            {lastEnd !== null && <Fact name={t.lastEnd}>{t.ends[lastEnd.why]}</Fact>}
            {data.disk !== null && (
              <div className="pt-1">
                <Fact name={t.storage}>{t.ofStorage(storage(data.disk.used), storage(data.disk.capacity))}</Fact>
                <Bar
                  label={t.ofStorage(storage(data.disk.used), storage(data.disk.capacity))}
                  value={data.disk.used}
                  max={data.disk.capacity}
                  parts={[
                    {
                      tokens: data.disk.used,
                      className: data.disk.used >= 0.85 * data.disk.capacity ? "bg-danger" : "bg-accent",
                    },
                  ]}
                  className="mt-2 h-2"
                />
              </div>
            )}
          </dl>
        </div>
      )}
      {data !== undefined && <Logs hasPrevious={(data.process?.restarts ?? 0) > 0} />}
    </Panel>
  )
}
