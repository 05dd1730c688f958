/** How the export of a deletion stands, by its Jobs and their pods. Pure. */
import type { Written } from "@berth/domain/Exports"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { attemptLabel } from "../desired/ExportJob.ts"
import { at, type Stored } from "../Manifest.ts"
import { Outcome } from "./Outcome.ts"

export type Progress =
  | { readonly _tag: "NotBegun" }
  /** `late`: it should long have been at work. */
  | { readonly _tag: "Running"; readonly attempt: number; readonly late: boolean }
  /** `at`, epoch ms: when it ended. */
  | { readonly _tag: "Written"; readonly attempt: number; readonly at: number; readonly written: Written }
  /** `why` is for ops. */
  | { readonly _tag: "Failed"; readonly attempt: number; readonly at: number; readonly why: string }

const decodeOutcome = Schema.decodeUnknownOption(Schema.fromJsonString(Outcome))

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const instant = (value: unknown): number | undefined => {
  const millis = Date.parse(String(value))
  return Number.isNaN(millis) ? undefined : millis
}

export const attemptOf = (job: Stored): number => Number(job.metadata.labels?.[attemptLabel] ?? 0)

/** A Job may wait so long for a node and its image (ms). */
const patience = 600_000

const condition = (job: Stored, type: string): unknown =>
  list(at(job, "status", "conditions")).find((one) => at(one, "type") === type && at(one, "status") === "True")

const owned = (job: Stored, pod: Stored): boolean =>
  (pod.metadata.ownerReferences ?? []).some(({ uid }) => uid === job.metadata.uid)

/** Whether nothing of the pod runs any more. */
export const hasEnded = (pod: Stored): boolean => ["Succeeded", "Failed"].includes(String(at(pod, "status", "phase")))

/** What the pod's container left behind when it ended. */
const endings = (pods: ReadonlyArray<Stored>): ReadonlyArray<unknown> =>
  pods.flatMap((pod) =>
    list(at(pod, "status", "containerStatuses")).flatMap((one) => at(one, "state", "terminated") ?? []),
  )

const failureOf = (job: Stored, pods: ReadonlyArray<Stored>, otherwise: string): string => {
  for (const ended of endings(pods)) {
    const outcome = Option.getOrUndefined(decodeOutcome(at(ended, "message")))
    if (outcome?._tag === "Failed") return outcome.message
    if (at(ended, "exitCode") !== 0) return String(at(ended, "reason") ?? otherwise)
  }
  return String(at(condition(job, "Failed"), "reason") ?? otherwise)
}

/** `now` in epoch ms; `pods` may be those of other Jobs as well. */
export const progressOf = (jobs: ReadonlyArray<Stored>, pods: ReadonlyArray<Stored>, now: number): Progress => {
  const job = [...jobs].sort((a, b) => attemptOf(a) - attemptOf(b)).at(-1)
  if (job === undefined) return { _tag: "NotBegun" }
  const attempt = attemptOf(job)
  const own = pods.filter((pod) => owned(job, pod))
  const ended = condition(job, "Complete") ?? condition(job, "Failed")
  if (ended === undefined) {
    const waits = own.every((pod) => at(pod, "status", "phase") === "Pending")
    const since = instant(job.metadata.creationTimestamp) ?? now
    return { _tag: "Running", attempt, late: waits && now - since > patience }
  }
  const endedAt = instant(at(ended, "lastTransitionTime")) ?? now
  if (condition(job, "Complete") !== undefined)
    for (const one of endings(own)) {
      const outcome = Option.getOrUndefined(decodeOutcome(at(one, "message")))
      if (outcome?._tag === "Written") {
        const { size, sha256 } = outcome
        return { _tag: "Written", attempt, at: endedAt, written: { size, sha256 } }
      }
    }
  return {
    _tag: "Failed",
    attempt,
    at: endedAt,
    why: failureOf(job, own, "it ended and left no word of what it wrote"),
  }
}

/** How long after a try that failed the next one begins (ms): a minute, then double, at most an hour. */
export const pauseAfter = (attempt: number): number => Math.min(60_000 * 2 ** (attempt - 1), 3_600_000)
