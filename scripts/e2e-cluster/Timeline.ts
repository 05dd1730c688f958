/** When each thing came to be on the way from a paid order to an agent that is Ready, as somebody who looks all the time sees it. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Api } from "../../packages/operator/test/cluster/Api.ts"

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
] as const
export type Moment = (typeof moments)[number]

const list = (path: string, selector: string) => `${path}?labelSelector=${encodeURIComponent(selector)}`
interface Pod {
  readonly status?: { readonly conditions?: ReadonlyArray<{ readonly type: string; readonly status: string }> }
}
const conditionOf = (pod: Pod | undefined, type: string): boolean =>
  (pod?.status?.conditions ?? []).some((one) => one.type === type && one.status === "True")

/** Looks for the first Agent of the cluster until its pod is Ready; the moments in epoch ms, filled in as they are seen. */
export const watch = Effect.fn("Timeline.watch")(function* (api: Api) {
  const seen: Partial<Record<Moment, number>> = {}
  const note = (moment: Moment, is: boolean) => {
    if (is) seen[moment] ??= Date.now()
  }
  const look = Effect.gen(function* () {
    const agents = yield* api.get("/apis/berth.dev/v1alpha1/agents")
    const customerId: string | undefined = agents?.items?.[0]?.metadata.name
    if (customerId === undefined) return false
    note("Agent written", true)
    const namespace = `customer-${customerId}`
    const [home, policies, deployments, pods] = yield* Effect.all(
      [
        api.get(`/api/v1/namespaces/${namespace}`),
        api.get(`/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`),
        api.get(`/apis/apps/v1/namespaces/${namespace}/deployments`),
        api.get(list(`/api/v1/namespaces/${namespace}/pods`, "app.kubernetes.io/name=openclaw")),
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
    note("scheduled", conditionOf(pod, "PodScheduled"))
    note("sandbox and gate begun", gate?.state?.running !== undefined || gate?.state?.terminated !== undefined)
    note("gate passed", conditionOf(pod, "Initialized"))
    note("OpenClaw started", main?.state?.running !== undefined)
    note("Ready", conditionOf(pod, "Ready"))
    return seen.Ready !== undefined
  })
  yield* Effect.forkScoped(
    Effect.repeat(
      Effect.orElseSucceed(look, () => false),
      { until: (done) => done, schedule: pause },
    ),
  )
  return seen
})

export type Seen = Partial<Record<Moment, number>>

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
