/** The steps of setting up an agent, ticked off as they are reported, with the time that each took. */
import { steps, type Step } from "@berth/domain/Lifecycle"
import { clsx } from "clsx"
import { Check, CircleAlert, LoaderCircle } from "lucide-react"
import { useEffect, useState } from "react"
import { duration } from "../Format.ts"
import { texts } from "../Texts.ts"
import { Panel } from "../ui/Panel.tsx"
import type { Journey } from "./Journey.ts"

type State = "done" | "running" | "notYet"

/** Milliseconds since then by this browser's clock, ten times a second while it runs. */
const useElapsed = (isRunning: boolean, key: unknown): number => {
  const [elapsed, setElapsed] = useState(0)
  useEffect(() => {
    setElapsed(0)
    if (!isRunning) return
    const begun = performance.now()
    const timer = setInterval(() => setElapsed(performance.now() - begun), 100)
    return () => clearInterval(timer)
  }, [isRunning, key])
  return elapsed
}

const Tick = ({ state, isStuck }: { readonly state: State; readonly isStuck: boolean }) => {
  if (state === "running" && isStuck) return <CircleAlert aria-hidden="true" className="size-5 shrink-0 text-danger" />
  if (state === "running")
    return <LoaderCircle aria-hidden="true" className="size-5 shrink-0 animate-spin text-accent" />
  return (
    <span
      aria-hidden="true"
      className={clsx(
        "grid size-5 shrink-0 place-items-center rounded-full",
        state === "done" ? "bg-accent text-on-accent" : "border-[1.5px] border-muted/45",
      )}
    >
      {state === "done" && <Check className="size-3.5" strokeWidth={3} />}
    </span>
  )
}

export const Provisioning = ({ journey }: { readonly journey: Journey }) => {
  const { failure, live, paidAt, run } = journey
  const atOf = new Map<Step, number>(run.map(({ step, at }) => [step, at]))
  const isDone = live !== null && failure === null
  const current = isDone ? undefined : steps.find((step) => !atOf.has(step))
  const elapsed = useElapsed(!isDone && failure === null, current)
  const begun = paidAt ?? run[0]?.at ?? 0
  const ended = live?.at ?? run.at(-1)?.at ?? begun

  const stateOf = (step: Step): State => {
    if (isDone || atOf.has(step)) return "done"
    return step === current ? "running" : "notYet"
  }
  const timeOf = (step: Step, place: number): string => {
    const at = atOf.get(step)
    if (at === undefined) return step === current && failure === null && run.length > 0 ? duration(elapsed) : ""
    const before = steps.slice(0, place).findLast((earlier) => atOf.has(earlier))
    return duration(at - (before === undefined ? begun : (atOf.get(before) ?? begun)))
  }
  const { title, titleFailed, titleLive } = texts.provisioning

  return (
    <Panel className="max-w-md p-5">
      <div className="flex items-baseline justify-between gap-4">
        <h3 className="font-semibold tracking-tight">{failure !== null ? titleFailed : isDone ? titleLive : title}</h3>
        <p className="text-sm text-muted tabular-nums" role="status">
          {isDone ? texts.provisioning.took(duration(ended - begun)) : texts.provisioning.of(atOf.size, steps.length)}
        </p>
      </div>
      {run.length === 0 && !isDone && failure === null && (
        <p className="mt-1 text-sm text-muted">{texts.provisioning.waiting}</p>
      )}
      {failure !== null && (
        <div role="alert" className="mt-3 rounded-xl bg-danger-soft p-3 text-sm leading-relaxed">
          <p className="font-medium text-danger">{failure.message}</p>
          <p className="mt-1">{failure.retriable ? texts.provisioning.retrying : texts.provisioning.notRetrying}</p>
        </div>
      )}
      <ol className="mt-4 space-y-2.5">
        {steps.map((step, place) => {
          const state = stateOf(step)
          return (
            <li key={step} className="flex items-center gap-3 text-[0.9375rem]">
              <Tick state={state} isStuck={failure !== null} />
              <span className={clsx("grow transition-colors", state === "notYet" && "text-muted")}>
                {texts.provisioning.steps[step]}
                <span className="sr-only">, {texts.provisioning[state]}</span>
              </span>
              <span className="shrink-0 text-sm whitespace-nowrap text-muted tabular-nums">{timeOf(step, place)}</span>
            </li>
          )
        })}
      </ol>
    </Panel>
  )
}
