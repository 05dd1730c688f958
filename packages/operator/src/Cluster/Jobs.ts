/**
 * The memory cluster's Job controller: makes a Job's pods, counts each that has ended exactly once (by a finalizer that
 * holds the pod until then), waits longer after each failure, and removes a finished Job after its time to live.
 */
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import { at, type JsonObject, type Manifest, refOf, type Stored } from "../Manifest.ts"
import { controllerManager, isLeaving, isReady, ofKind, owns } from "./Owned.ts"
import type { MemoryStore } from "./MemoryStore.ts"

export const trackingFinalizer = "batch.kubernetes.io/job-tracking"

/** Wait before the pod after the nth failure: 10 s, then double, at most 10 minutes (Kubernetes' own figures). */
const backoffMillis = (failures: number): number =>
  failures === 0 ? 0 : Math.min(10_000 * 2 ** (failures - 1), 600_000)

const number = (value: unknown, otherwise: number): number => (value === undefined ? otherwise : Number(value))
const instant = (text: unknown): number => Date.parse(String(text))
const isoOf = (millis: number): string => DateTime.formatIso(DateTime.makeUnsafe(millis)).replace(/\.\d+Z$/, "Z")

const phaseOf = (pod: Stored): unknown => at(pod, "status", "phase")
export const hasEnded = (pod: Stored): boolean => phaseOf(pod) === "Succeeded" || phaseOf(pod) === "Failed"

const isTracked = (pod: Stored): boolean => (pod.metadata.finalizers ?? []).includes(trackingFinalizer)

/** Labels by which a Job knows its pods; the server adds them to selector and template when the Job is made. */
export const jobLabels = (name: string, uid: string): Readonly<Record<string, string>> => ({
  "batch.kubernetes.io/controller-uid": uid,
  "batch.kubernetes.io/job-name": name,
  "controller-uid": uid,
  "job-name": name,
})

/** What the server adds to a new Job. */
export const withJobDefaults = (job: Record<string, unknown>, name: string, uid: string): Record<string, unknown> => {
  const spec = (job.spec ?? {}) as JsonObject
  const template = (at(spec, "template") ?? {}) as JsonObject
  const metadata = (at(template, "metadata") ?? {}) as JsonObject
  const labels = { ...(at(metadata, "labels") as JsonObject | undefined), ...jobLabels(name, uid) }
  return {
    ...job,
    spec: {
      ...spec,
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": uid } },
      template: { ...template, metadata: { ...metadata, labels } },
    },
  }
}

const podOf = (job: Stored, suffix: string): Manifest => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `${job.metadata.name}-${suffix}`,
    namespace: job.metadata.namespace ?? "",
    labels: at(job, "spec", "template", "metadata", "labels") as Record<string, string>,
    annotations: (at(job, "spec", "template", "metadata", "annotations") ?? {}) as Record<string, string>,
    finalizers: [trackingFinalizer],
    ownerReferences: [
      {
        apiVersion: "batch/v1",
        kind: "Job",
        name: job.metadata.name,
        uid: job.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ],
  },
  spec: at(job, "spec", "template", "spec"),
  status: { phase: "Pending" },
})

/** Lets a counted pod go; one that was being deleted and has ended is gone with that. */
export const release = (store: MemoryStore, pod: Stored): void => {
  store.update(refOf(pod), controllerManager, (object) => ({
    ...object,
    metadata: {
      ...object.metadata,
      finalizers: (object.metadata.finalizers ?? []).filter((one) => one !== trackingFinalizer),
    },
  }))
  if (isLeaving(pod) && hasEnded(pod)) store.purge(refOf(pod))
}

/** Counts the pods that ended since the last look, and lets them go. */
const tally = (store: MemoryStore, job: Stored, pods: ReadonlyArray<Stored>) => {
  const fresh = pods.filter((pod) => hasEnded(pod) && isTracked(pod))
  for (const pod of fresh) release(store, pod)
  const count = (status: "succeeded" | "failed", phase: string) =>
    number(at(job, "status", status), 0) + fresh.filter((pod) => phaseOf(pod) === phase).length
  return { succeeded: count("succeeded", "Succeeded"), failed: count("failed", "Failed") }
}

const endedAt = (pod: Stored): number =>
  instant(at(pod, "status", "containerStatuses", 0, "state", "terminated", "finishedAt"))

/** Restarts within pods count as failures too, for pods that are restarted. */
const restarts = (pods: ReadonlyArray<Stored>): number =>
  pods.reduce((total, pod) => total + number(at(pod, "status", "containerStatuses", 0, "restartCount"), 0), 0)

interface Ending {
  readonly type: "Complete" | "Failed"
  readonly reason: string
  readonly message: string
}

const ending = (
  job: Stored,
  pods: ReadonlyArray<Stored>,
  ended: { succeeded: number; failed: number },
  now: number,
) => {
  const limit = number(at(job, "spec", "backoffLimit"), 6)
  const deadline = at(job, "spec", "activeDeadlineSeconds")
  const begun = instant(at(job, "status", "startTime") ?? isoOf(now))
  const restarted = at(job, "spec", "template", "spec", "restartPolicy") === "OnFailure" ? restarts(pods) : 0
  const found: Ending | undefined =
    ended.succeeded >= number(at(job, "spec", "completions"), 1)
      ? { type: "Complete", reason: "CompletionsReached", message: "Reached expected number of succeeded pods" }
      : ended.failed > limit || restarted > limit
        ? { type: "Failed", reason: "BackoffLimitExceeded", message: "Job has reached the specified backoff limit" }
        : deadline !== undefined && now >= begun + Number(deadline) * 1000
          ? { type: "Failed", reason: "DeadlineExceeded", message: "Job was active longer than specified deadline" }
          : undefined
  return found
}

const dueAfterDeadline = (job: Stored, now: number): number | undefined => {
  const deadline = at(job, "spec", "activeDeadlineSeconds")
  return deadline === undefined
    ? undefined
    : instant(at(job, "status", "startTime") ?? isoOf(now)) + Number(deadline) * 1000
}

const isFinished = (job: Stored): boolean => {
  const conditions = at(job, "status", "conditions")
  return Array.isArray(conditions) && conditions.some((one) => ["Complete", "Failed"].includes(String(at(one, "type"))))
}

/** When a finished Job is to go, removing it if that is now. */
const expire = (store: MemoryStore, job: Stored, now: number): number | undefined => {
  const ttl = at(job, "spec", "ttlSecondsAfterFinished")
  if (ttl === undefined) return undefined
  const conditions = at(job, "status", "conditions") as ReadonlyArray<unknown>
  const due = instant(at(conditions.at(-1), "lastTransitionTime")) + Number(ttl) * 1000
  if (now < due) return due
  store.remove(refOf(job), job.metadata.uid)
  return undefined
}

/** One look at a Job; when to look again though nothing changes, in epoch ms. `suffix` names a new pod. */
export const runJob = (store: MemoryStore, job: Stored, now: number, suffix: () => string): number | undefined => {
  if (isFinished(job)) return expire(store, job, now)
  const pods = ofKind(store, "Pod").filter((pod) => owns(job, pod))
  const ended = tally(store, job, pods)
  const end = ending(job, pods, ended, now)
  const active = pods.filter((pod) => !hasEnded(pod) && !isLeaving(pod))
  let next = end === undefined ? dueAfterDeadline(job, now) : undefined
  if (end !== undefined) for (const pod of active) store.remove(refOf(pod), undefined)
  else {
    const failures = pods.filter((pod) => phaseOf(pod) === "Failed").map(endedAt)
    const allowed = failures.length === 0 ? 0 : Math.max(...failures) + backoffMillis(ended.failed)
    const wanted = number(at(job, "spec", "completions"), 1) - ended.succeeded
    const room = at(job, "spec", "suspend") === true ? 0 : Math.min(number(at(job, "spec", "parallelism"), 1), wanted)
    if (now < allowed) next = next === undefined ? allowed : Math.min(next, allowed)
    else
      for (let missing = room - active.length; missing > 0; missing--)
        // Refused by a quota, say: the next change of anything leads to another try.
        if (Result.isFailure(store.apply(podOf(job, suffix()), { manager: controllerManager, force: true }))) break
  }
  const standing = ofKind(store, "Pod").filter((pod) => owns(job, pod) && !hasEnded(pod))
  const condition = (type: string) => ({
    type,
    status: "True",
    reason: end?.reason ?? "",
    message: end?.message ?? "",
    lastProbeTime: isoOf(now),
    lastTransitionTime: isoOf(now),
  })
  const over = end !== undefined && standing.length === 0
  const status = {
    startTime: at(job, "status", "startTime") ?? isoOf(now),
    ...(ended.succeeded > 0 ? { succeeded: ended.succeeded } : {}),
    ...(ended.failed > 0 ? { failed: ended.failed } : {}),
    active: standing.filter((pod) => !isLeaving(pod)).length,
    terminating: standing.filter(isLeaving).length,
    ready: standing.filter(isReady).length,
    uncountedTerminatedPods: {},
    ...(over
      ? {
          ...(end.type === "Complete" ? { completionTime: isoOf(now) } : {}),
          conditions: [
            condition(end.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget"),
            condition(end.type),
          ],
        }
      : {}),
  }
  store.update(refOf(job), controllerManager, (object) => ({ ...object, status }))
  return next
}
