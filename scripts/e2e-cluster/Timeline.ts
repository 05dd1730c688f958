/**
 * When each thing came to be on the way from a paid order to the agent's first reply, as somebody who looks all the time sees
 * it, and what the ways between them are made short by.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Api } from "../../packages/operator/test/cluster/Api.ts"
import { cpuMillisOf } from "./Processes.ts"
import type { Compiled, Start } from "./Starts.ts"

/** Often enough to tell the steps apart, seldom enough not to slow them down. */
const pause = Schedule.spaced("30 millis")

export const moments = [
  "Agent written",
  "namespace",
  "policy",
  "Deployment applied",
  "pod",
  "scheduled",
  "sandbox and gate begun",
  "gate passed",
  "OpenClaw started",
  "Ready",
  "first words to it",
  "model asked",
  "first reply",
] as const
export type Moment = (typeof moments)[number]

/** Epoch ms, filled in as they are seen. */
export type Seen = { [M in Moment]?: number }

const list = (path: string, selector: string) => `${path}?labelSelector=${encodeURIComponent(selector)}`
const podsOf = (namespace: string) => list(`/api/v1/namespaces/${namespace}/pods`, "app.kubernetes.io/name=openclaw")
interface Pod {
  readonly metadata: { readonly uid: string; readonly deletionTimestamp?: string }
  readonly status?: {
    readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }>
    readonly containerStatuses?: ReadonlyArray<{ readonly state?: { readonly running?: object } }>
  }
}
const conditionOf = (pod: Pod | undefined, type: string): boolean =>
  (pod?.status?.conditions ?? []).some((one) => one.type === type && one.status === "True")

/** What else is looked at than the cluster. */
export interface Sources {
  /** Who wrote in the chat with the bot so far: the person, or `bot`. */
  readonly chat: Effect.Effect<ReadonlyArray<{ readonly from: string }>>
  /** When the model was first called. */
  readonly modelAsked: () => number | undefined
  /** What Node has compiled, on the volume of the namespace. */
  readonly compiled: (namespace: string) => Compiled
}

/** Looks for the first Agent of the cluster until it has replied; also what its first start began with, and took. */
export const watch = Effect.fn("Timeline.watch")(function* (api: Api, { chat, compiled, modelAsked }: Sources) {
  const seen: Seen = {}
  const first: { compiled?: Compiled; cpuMillis?: number } = {}
  const note = (moment: Moment, is: boolean) => {
    if (is) seen[moment] ??= Date.now()
  }
  const untilReady = Effect.gen(function* () {
    const agents = yield* api.get("/apis/berth.dev/v1alpha1/agents")
    const customerId: string | undefined = agents?.items?.[0]?.metadata.name
    if (customerId === undefined) return
    note("Agent written", true)
    const namespace = `customer-${customerId}`
    const [home, policies, deployments, pods] = yield* Effect.all(
      [
        api.get(`/api/v1/namespaces/${namespace}`),
        api.get(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`),
        api.get(`/apis/apps/v1/namespaces/${namespace}/deployments`),
        api.get(podsOf(namespace)),
      ],
      { concurrency: "unbounded" },
    )
    const pod = pods?.items?.[0]
    const [gate] = pod?.status?.initContainerStatuses ?? []
    const [main] = pod?.status?.containerStatuses ?? []
    note("namespace", home !== undefined)
    note("policy", policies?.items?.length > 0)
    note("Deployment applied", deployments?.items?.length > 0)
    note("pod", pod !== undefined)
    if (pod !== undefined) first.compiled ??= compiled(namespace)
    note("scheduled", conditionOf(pod, "PodScheduled"))
    note("sandbox and gate begun", gate?.state?.running !== undefined || gate?.state?.terminated !== undefined)
    note("gate passed", conditionOf(pod, "Initialized"))
    note("OpenClaw started", main?.state?.running !== undefined)
    note("Ready", conditionOf(pod, "Ready"))
    if (seen.Ready !== undefined) first.cpuMillis ??= cpuMillisOf(pod.metadata.uid)
  })
  const untilReplied = Effect.map(chat, (messages) => {
    note(
      "first words to it",
      messages.some(({ from }) => from !== "bot"),
    )
    const asked = modelAsked()
    if (asked !== undefined) seen["model asked"] = asked
    note(
      "first reply",
      messages.some(({ from }) => from === "bot"),
    )
  })
  const look = Effect.suspend(() => (seen.Ready === undefined ? untilReady : untilReplied))
  yield* Effect.forkScoped(
    Effect.repeat(
      Effect.map(Effect.ignore(look), () => seen["first reply"] !== undefined),
      { until: (done) => done, schedule: pause },
    ),
  )
  return { seen, first }
})

/** Looks until a pod of the namespace other than `not` is Ready; how long that took from when its container was seen to run. */
export const start = Effect.fn("Timeline.start")(function* (
  api: Api,
  {
    act,
    compiled,
    namespace,
    not,
  }: Pick<Start, "act"> & {
    readonly compiled: () => Compiled
    readonly namespace: string
    /** Uid of the pod that goes. */
    readonly not: string
  },
) {
  let before: Compiled | undefined
  let running: number | undefined
  const look = Effect.gen(function* () {
    const { items }: { readonly items: ReadonlyArray<Pod> } = yield* api.get(podsOf(namespace))
    const pod = items.find(({ metadata }) => metadata.uid !== not && metadata.deletionTimestamp === undefined)
    if (pod === undefined) return undefined
    before ??= compiled()
    if (pod.status?.containerStatuses?.[0]?.state?.running !== undefined) running ??= Date.now()
    return conditionOf(pod, "Ready") ? { ready: Date.now(), cpuMillis: cpuMillisOf(pod.metadata.uid) } : undefined
  })
  const { cpuMillis, ready } = yield* look.pipe(
    Effect.filterOrFail((done) => done !== undefined),
    Effect.retry(pause),
    Effect.orDie,
  )
  return { act, compiled: before ?? compiled(), millis: ready - (running ?? ready), cpuMillis } satisfies Start
})

/** A line a moment: how long after the one before, and after the beginning. */
export const lines = (seen: Seen, begun: number): ReadonlyArray<string> => {
  let last = begun
  return moments.flatMap((moment) => {
    const at = seen[moment]
    if (at === undefined) return []
    const line = `    ${String(at - begun).padStart(6)} ms  (+${String(at - last).padStart(5)})  ${moment}`
    last = at
    return [line]
  })
}

/** The ways that a customer waits for one after the other, and what was done to shorten each. */
const ways: ReadonlyArray<readonly [name: string, to: Moment, short: string]> = [
  [
    "job → apply",
    "Deployment applied",
    "a new agent goes before all else; objects that need nothing of each other go out together",
  ],
  ["apply → scheduled", "scheduled", ""],
  [
    "scheduled → started",
    "OpenClaw started",
    "the image is on the node; the gate tries every 50 ms whether the policy is in force",
  ],
  [
    "started → Ready",
    "Ready",
    "what Node compiled is kept on the volume, from the second start on; asked for every 2 s",
  ],
  ["Ready → first words", "first words to it", "the person's own time"],
  ["first words → first reply", "first reply", ""],
]

export interface Part {
  readonly name: string
  readonly millis: number
  /** What makes it short; empty if nothing was done. */
  readonly short: string
}

/** From the job on; a way whose ends were not both seen is left out. */
export const parts = (seen: Seen, begun: number): ReadonlyArray<Part> => {
  let from: number | undefined = begun
  return ways.flatMap(([name, to, short]) => {
    const begins = from
    const at = (from = seen[to])
    return begins === undefined || at === undefined ? [] : [{ name, millis: at - begins, short }]
  })
}

export const partLines = (all: ReadonlyArray<Part>): ReadonlyArray<string> => {
  const width = Math.max(...all.map(({ name }) => name.length))
  return all.map(({ millis, name, short }) =>
    `    ${String(millis).padStart(6)} ms  ${name.padEnd(width)}  ${short}`.trimEnd(),
  )
}
