/**
 * What Kubernetes says of an agent's pod, cut down to what anything is decided by. Pure. The server's own messages stay
 * out, but for what they are of: they name images, nodes and limits that are ours.
 */
import { at, type Stored } from "./Manifest.ts"

export { recordMissing, refusalTrouble, type Trouble } from "./Troubles.ts"

/** How a container ended the last time. */
export interface Ended {
  /** As the kubelet says: `OOMKilled`, `Error`, `Completed`, … */
  readonly reason: string
  /** Epoch ms; undefined if it does not say. */
  readonly at: number | undefined
  /** How long it had run, ms. */
  readonly ran: number | undefined
}

export interface PodBrief {
  readonly uid: string
  readonly name: string
  /** Epoch ms. */
  readonly createdAt: number | undefined
  readonly leaving: boolean
  readonly ready: boolean
  /** Epoch ms; undefined while it is ready, and if the server does not say. */
  readonly notReadySince: number | undefined
  /** Some container of its own runs or ran: its image is there. */
  readonly started: boolean
  /** Since when no node has room for it, epoch ms; undefined while one has, 0 if the server does not say. */
  readonly unschedulableSince: number | undefined
  readonly scheduled: boolean
  /** Its own address and its node's, once it runs. */
  readonly ip: string | undefined
  readonly hostIp: string | undefined
  /** What its containers wait for: `ErrImagePull`, `CrashLoopBackOff`, … */
  readonly waiting: ReadonlyArray<string>
  readonly restarts: number
  /** The last end of each container that ended. */
  readonly ended: ReadonlyArray<Ended>
  /** It came to its end and is kept for its story alone: thrown out or refused by its node. */
  readonly over: boolean
  /** The node threw it out because it wrote more than its temporary disk space. */
  readonly overfull: { readonly at: number | undefined } | undefined
}

export interface DeploymentBrief {
  /** The controller has seen the newest spec. */
  readonly current: boolean
  readonly updated: number
  readonly ready: number
  /** Why no pod can be made, if none can, and since when (epoch ms). */
  readonly refused: { readonly by: "quota" | "other"; readonly since: number | undefined } | undefined
  /** The progress deadline has passed. */
  readonly stalled: boolean
}

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)
const count = (value: unknown): number => (typeof value === "number" ? value : 0)

/** Epoch ms of a time as Kubernetes writes it. */
export const instant = (value: unknown): number | undefined => {
  const millis = Date.parse(String(value))
  return Number.isNaN(millis) ? undefined : millis
}

const condition = (object: Stored, type: string): unknown =>
  list(at(object, "status", "conditions")).find((one) => at(one, "type") === type)

const endings = (container: unknown): ReadonlyArray<Ended> =>
  [at(container, "state", "terminated"), at(container, "lastState", "terminated")].flatMap((end) => {
    const reason = text(at(end, "reason"))
    if (reason === undefined) return []
    const [from, to] = [instant(at(end, "startedAt")), instant(at(end, "finishedAt"))]
    return [{ reason, at: to, ran: from === undefined || to === undefined ? undefined : to - from }]
  })

export const podBrief = (pod: Stored): PodBrief => {
  const own = list(at(pod, "status", "containerStatuses"))
  const all = [...list(at(pod, "status", "initContainerStatuses")), ...own]
  const scheduled = condition(pod, "PodScheduled")
  const ready = condition(pod, "Ready")
  const isReady = at(ready, "status") === "True"
  const isUnschedulable = at(scheduled, "reason") === "Unschedulable" && at(scheduled, "status") !== "True"
  return {
    uid: pod.metadata.uid,
    name: pod.metadata.name,
    createdAt: instant(pod.metadata.creationTimestamp),
    leaving: pod.metadata.deletionTimestamp !== undefined,
    ready: isReady,
    notReadySince: isReady
      ? undefined
      : (instant(at(ready, "lastTransitionTime")) ?? instant(pod.metadata.creationTimestamp)),
    started: own.some(
      (one) => at(one, "state", "running") !== undefined || at(one, "lastState", "terminated") !== undefined,
    ),
    unschedulableSince: isUnschedulable ? (instant(at(scheduled, "lastTransitionTime")) ?? 0) : undefined,
    scheduled: at(scheduled, "status") === "True",
    ip: text(at(pod, "status", "podIP")),
    hostIp: text(at(pod, "status", "hostIP")),
    waiting: all.flatMap((one) => text(at(one, "state", "waiting", "reason")) ?? []),
    restarts: all.reduce<number>((most, one) => Math.max(most, count(at(one, "restartCount"))), 0),
    ended: all.flatMap(endings),
    over: at(pod, "status", "phase") === "Failed" || at(pod, "status", "phase") === "Succeeded",
    // Of all evictions these alone are the pod's own doing: the others come from what the node lacks.
    overfull:
      at(pod, "status", "reason") === "Evicted" && /exceed/i.test(String(at(pod, "status", "message")))
        ? { at: own.flatMap(endings).at(0)?.at }
        : undefined,
  }
}

export const deploymentBrief = (deployment: Stored): DeploymentBrief => {
  const failure = condition(deployment, "ReplicaFailure")
  const since = instant(at(failure, "lastTransitionTime"))
  return {
    current: at(deployment, "status", "observedGeneration") === deployment.metadata.generation,
    updated: count(at(deployment, "status", "updatedReplicas")),
    ready: count(at(deployment, "status", "readyReplicas")),
    refused:
      at(failure, "status") === "True"
        ? { by: /quota/i.test(String(at(failure, "message"))) ? "quota" : "other", since }
        : undefined,
    stalled: at(condition(deployment, "Progressing"), "reason") === "ProgressDeadlineExceeded",
  }
}

/** The one pod that is meant runs and is Ready, and the Deployment has seen its own newest spec. */
export const isRunning = (deployment: DeploymentBrief | undefined, pods: ReadonlyArray<PodBrief>): boolean =>
  deployment?.current === true &&
  deployment.updated === 1 &&
  deployment.ready === 1 &&
  pods.some((pod) => pod.ready && !pod.leaving)

/** The pod that is meant now: the newest that neither goes nor is over. */
export const currentPod = (pods: ReadonlyArray<PodBrief>): PodBrief | undefined =>
  pods
    .filter((pod) => !pod.leaving && !pod.over)
    .toSorted((a, b) => (a.createdAt ?? 0) - (b.createdAt ?? 0))
    .at(-1)
