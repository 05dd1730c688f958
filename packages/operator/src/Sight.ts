/**
 * What Kubernetes says of an agent's pod, in words that a customer can act on. Pure. The server's own messages stay in
 * the logs: they name images, nodes and limits that are ours.
 */
import { at, type Stored } from "./Manifest.ts"

export interface Trouble {
  readonly reason: string
  readonly message: string
  /** Whether waiting may help. */
  readonly retriable: boolean
}

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

const condition = (object: Stored | undefined, type: string): unknown =>
  list(at(object, "status", "conditions")).find((one) => at(one, "type") === type)

/** The one pod that is meant runs and is Ready, and the Deployment has seen its own newest spec. */
export const podReady = (deployment: Stored | undefined, pods: ReadonlyArray<Stored>): boolean =>
  deployment !== undefined &&
  at(deployment, "status", "observedGeneration") === deployment.metadata.generation &&
  at(deployment, "status", "updatedReplicas") === 1 &&
  at(deployment, "status", "readyReplicas") === 1 &&
  pods.some((pod) => pod.metadata.deletionTimestamp === undefined && at(condition(pod, "Ready"), "status") === "True")

const troubles: Readonly<Record<string, Trouble>> = {
  ErrImagePull: {
    reason: "ImagePullFailed",
    message: "Your agent's software could not be fetched. We are on it; nothing is needed from you.",
    retriable: true,
  },
  OOMKilled: {
    reason: "OutOfMemory",
    message: "Your agent ran out of memory. It restarts by itself; if this goes on, a larger tier has more.",
    retriable: true,
  },
  CrashLoopBackOff: {
    reason: "Crashing",
    message: "Your agent stops right after its start. We are on it; it is tried again by itself.",
    retriable: true,
  },
  CreateContainerConfigError: {
    reason: "ConfigurationMissing",
    message: "Your agent's configuration is incomplete. We are on it; nothing is needed from you.",
    retriable: true,
  },
  Unschedulable: {
    reason: "NoRoom",
    message: "There is no room for your agent at the moment. It starts as soon as there is.",
    retriable: true,
  },
  ProgressDeadlineExceeded: {
    reason: "SlowStart",
    message: "Your agent did not start in time. It is still being tried; nothing is needed from you.",
    retriable: true,
  },
  FailedCreate: {
    reason: "QuotaTooSmall",
    message: "Your agent does not fit the limits of its tier. We are on it; nothing is needed from you.",
    retriable: true,
  },
}

const aliases: Readonly<Record<string, string>> = {
  ImagePullBackOff: "ErrImagePull",
  InvalidImageName: "ErrImagePull",
  CreateContainerError: "CreateContainerConfigError",
}

/** The worst that is known, or `undefined` while the pod is merely on its way. */
export const podFailure = (deployment: Stored | undefined, pods: ReadonlyArray<Stored>): Trouble | undefined => {
  const current = pods.filter((pod) => pod.metadata.deletionTimestamp === undefined)
  const reasons = [
    ...current.flatMap((pod) => [
      ...[...list(at(pod, "status", "initContainerStatuses")), ...list(at(pod, "status", "containerStatuses"))].flatMap(
        (one) => [at(one, "lastState", "terminated", "reason"), at(one, "state", "waiting", "reason")],
      ),
      at(condition(pod, "PodScheduled"), "reason"),
    ]),
    at(condition(deployment, "ReplicaFailure"), "reason"),
    at(condition(deployment, "Progressing"), "reason"),
  ]
  for (const reason of reasons) {
    const known = typeof reason === "string" ? troubles[aliases[reason] ?? reason] : undefined
    if (known !== undefined) return known
  }
  return undefined
}

/** What an apply that was refused means to the customer. */
export const refusalTrouble = (step: string): Trouble => ({
  reason: "Refused",
  message: `A part of your agent (${step}) could not be set up. We are on it; nothing is needed from you.`,
  retriable: false,
})

export const recordMissing: Trouble = {
  reason: "SecretsMissing",
  message: "Your agent's credentials have to be handed over again. This happens by itself.",
  retriable: true,
}
