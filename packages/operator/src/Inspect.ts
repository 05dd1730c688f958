/**
 * A look at one agent for people, from the Agent's status, its pod as the informers know it, the agent itself and its log.
 * Invariant: no secret leaves here: a log whose agent's secrets can't be read is not shown, since they could not be masked.
 */
import {
  AgentInspection,
  AgentUnknown,
  type AgentHealth,
  InspectionUnavailable,
  NoLogs,
} from "@berth/domain/AgentInspection"
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { AgentStatus } from "./Agent.ts"
import { Cluster } from "./Cluster.ts"
import { app, port } from "./desired/Names.ts"
import { podsOf } from "./Gather.ts"
import { linesOf } from "./Mask.ts"
import { Observing } from "./Observing.ts"
import { PodHttp } from "./PodHttp.ts"
import { readiness } from "./Readiness.ts"
import { readRecord } from "./Records.ts"
import { currentPod, type Ended, instant, podBrief, type PodBrief } from "./Sight.ts"
import { initial } from "./Status.ts"
import { Volumes } from "./Volumes.ts"

/** Logs read at once: each takes up to a few megabytes. */
const concurrency = 4
const patience = "2 seconds"

const unknown = new AgentUnknown({ message: "There is no such agent." })
const notThere = (previous: boolean) =>
  new NoLogs({
    message: previous
      ? "There was no run before this one, or its log is gone."
      : "The agent is not running, so there is no log of it.",
  })

const endOf = (pod: PodBrief): Ended | undefined => pod.ended.toSorted((a, b) => (a.at ?? 0) - (b.at ?? 0)).at(-1)

const lastEnd = (pod: PodBrief) => {
  const end = endOf(pod)
  if (end === undefined) return null
  const why = end.reason === "OOMKilled" ? "outOfMemory" : end.reason === "Completed" ? "stopped" : "error"
  return { why, at: end.at ?? null } as const
}

const whole = (bytes: number) => Math.round(bytes)

export const layer: Layer.Layer<AgentInspection, never, Cluster | PodHttp | Observing | Volumes> = Layer.effect(
  AgentInspection,
  Effect.gen(function* () {
    const cluster = yield* Cluster
    const http = yield* PodHttp
    const volumes = yield* Volumes
    const { observed } = yield* Observing
    const room = yield* Semaphore.make(concurrency)

    const statusOf = Effect.fnUntraced(function* (customerId: CustomerId) {
      const found = yield* cluster.get({ kind: "Agent", name: customerId })
      if (Option.isNone(found)) return yield* unknown
      return Option.getOrElse(Schema.decodeUnknownOption(AgentStatus)(found.value.status), () => initial)
    })

    const podOf = (customerId: CustomerId) => currentPod(podsOf(observed, customerId).map(podBrief))

    /** Whether the agent itself says that it is well; null if it is not asked or does not answer. */
    const answers = (pod: PodBrief | undefined): Effect.Effect<boolean | null> =>
      pod?.ready !== true || pod.ip === undefined
        ? Effect.succeed(null)
        : http.get({ ip: pod.ip, port, path: "/readyz" }).pipe(
            Effect.map((answer) =>
              answer.status === 200 || answer.status === 503 ? readiness(answer)._tag === "Ready" : null,
            ),
            Effect.timeout(patience),
            Effect.orElseSucceed(() => null),
          )

    const fill = (customerId: CustomerId, pod: PodBrief | undefined) =>
      pod?.hostIp === undefined
        ? Effect.succeed(undefined)
        : volumes.fill(customerId, pod.hostIp).pipe(
            Effect.timeout(patience),
            Effect.orElseSucceed(() => undefined),
          )

    const health = Effect.fn("AgentInspection.health")(function* (customerId: CustomerId) {
      const status = yield* statusOf(customerId)
      const pod = podOf(customerId)
      const [isWell, disk] = yield* Effect.all([answers(pod), fill(customerId, pod)], { concurrency: 2 })
      return {
        customerId,
        phase: status.phase,
        generation: status.observedGeneration,
        answers: isWell,
        conditions: status.conditions.map(({ type, status, reason, message, lastTransitionTime }) => ({
          type,
          status,
          reason,
          message,
          since: instant(lastTransitionTime) ?? 0,
        })),
        process:
          pod === undefined
            ? null
            : {
                startedAt: pod.started ? (pod.createdAt ?? null) : null,
                restarts: pod.restarts,
                lastEnd: lastEnd(pod),
              },
        disk: disk === undefined ? null : { used: whole(disk.used), capacity: whole(disk.capacity) },
      } satisfies AgentHealth as AgentHealth
    })

    const logs = Effect.fn("AgentInspection.logs")(function* (
      customerId: CustomerId,
      { tail, previous }: { readonly tail: number; readonly previous: boolean },
    ) {
      yield* statusOf(customerId)
      // One that is on its way out has the last word of an agent that was stopped.
      const pod = podOf(customerId) ?? podsOf(observed, customerId).map(podBrief).at(-1)
      if (pod === undefined) return yield* notThere(previous)
      const record = yield* readRecord(cluster, customerId)
      if (Option.isNone(record)) return yield* InspectionUnavailable.now
      const known = Object.values(record.value.secrets).map((secret) => Redacted.value(secret))
      const raw = yield* cluster
        .logs({ namespace: namespaceOf(customerId), name: pod.name }, { container: app, lines: tail + 1, previous })
        .pipe(
          Effect.catchTags({
            NotFound: () => Effect.fail(notThere(previous)),
            Refused: () => Effect.fail(notThere(previous)),
          }),
        )
      return { lines: linesOf(raw, tail, known) }
    })

    /** The cluster's own words name what is ours; they stay in the operator's log. */
    const unavailable = (customerId: CustomerId) => (error: { readonly _tag: string; readonly message: string }) =>
      Effect.andThen(
        Effect.logWarning(`agent ${customerId} could not be looked at`, error._tag, error.message),
        Effect.fail(InspectionUnavailable.now),
      )

    return AgentInspection.of({
      health: (customerId) =>
        health(customerId).pipe(
          Effect.catchTags({
            ClusterUnavailable: unavailable(customerId),
            Refused: unavailable(customerId),
          }),
        ),
      logs: (customerId, options) =>
        room.withPermit(logs(customerId, options)).pipe(
          Effect.catchTags({
            ClusterUnavailable: unavailable(customerId),
            Refused: unavailable(customerId),
          }),
        ),
    })
  }),
)
