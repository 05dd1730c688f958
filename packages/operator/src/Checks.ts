/**
 * The checks of an agent's health, one for each side of it: what is wrong, that all is well, or nothing where nothing is
 * known. Pure. Invariant: what is not known changes nothing, so a check that could not be made accuses nobody.
 */
import type { DeploymentBrief, PodBrief } from "./Sight.ts"
import { currentPod, isRunning } from "./Sight.ts"
import type { Reason, Side } from "./Troubles.ts"

/** What is known by asking beyond the Kubernetes API. A field that is absent is not known. */
export interface Findings {
  /** The pod that it was found of. */
  readonly podUid: string
  readonly botToken?: "accepted" | "rejected"
  readonly telegram?: "connected" | "notConnected"
  readonly data?: "open" | "refused"
  /** Bytes on the agent's volume. */
  readonly disk?: { readonly used: number; readonly capacity: number }
}

export interface Look {
  readonly deployment: DeploymentBrief | undefined
  readonly pods: ReadonlyArray<PodBrief>
  readonly findings: Findings | undefined
  /** The cluster refused a part of the agent for its quota. */
  readonly overQuota: boolean
  /** What was wrong on a side at the last look. */
  readonly before: (side: Side) => Reason | undefined
  /** Epoch ms. */
  readonly now: number
}

export type Answer = Reason | "well" | undefined

/** A pod may wait that long for a node, and a Deployment for its quota, before it is told: claims bind in between. */
const patienceMillis = 20_000
/** How long an agent that ran out of something is told of it. */
const rememberedMillis = 3_600_000
/** Crashes further apart than this are no loop. */
const loopMillis = 600_000
/** As long as the startup probe waits. */
const slowMillis = 300_000

/** Shares of the volume above which it is nearly full and full, and below which it no longer is. */
const nearlyFull = { from: 0.85, until: 0.8 }
const full = { from: 0.97, until: 0.95 }

const marks = [nearlyFull.until, nearlyFull.from, full.until, full.from]
/** How many of the marks a volume is past: between two of them nothing is judged differently. */
export const fullness = ({ used, capacity }: { readonly used: number; readonly capacity: number }): number =>
  marks.filter((mark) => used >= mark * capacity).length

const imageFailures = new Set([
  "ErrImagePull",
  "ImagePullBackOff",
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImageInspectError",
  "RegistryUnavailable",
  "SignatureValidationFailed",
])
const configFailures = new Set(["CreateContainerConfigError", "CreateContainerError", "RunContainerError"])

/** `since` undefined or 0: the server does not say, so it counts as long ago. */
const lasts = (since: number | undefined, now: number, millis: number): boolean =>
  since === undefined || now - since >= millis
const isRecent = (at: number | undefined, now: number, millis: number): boolean => at === undefined || now - at < millis

const waitsFor = (pod: PodBrief | undefined, reasons: ReadonlySet<string>): boolean =>
  pod?.waiting.some((reason) => reasons.has(reason)) === true

const ranOut = ({ pods, now }: Look): boolean =>
  pods.some((pod) => pod.ended.some(({ reason, at }) => reason === "OOMKilled" && isRecent(at, now, rememberedMillis)))

const overfull = ({ pods, now }: Look): boolean =>
  pods.some(
    (pod) =>
      pod.overfull !== undefined && isRecent(pod.overfull.at ?? currentPod(pods)?.createdAt, now, rememberedMillis),
  )

const diskIs = ({ findings, before }: Look): Answer => {
  if (findings?.disk === undefined) return undefined
  const { used, capacity } = findings.disk
  if (!(capacity > 0)) return undefined
  const share = used / capacity
  const was = before("Disk")
  if (share >= (was === "DiskFull" ? full.until : full.from)) return "DiskFull"
  const isLow = was === "DiskFull" || was === "DiskNearlyFull"
  return share >= (isLow ? nearlyFull.until : nearlyFull.from) ? "DiskNearlyFull" : "well"
}

export const checks: Readonly<Record<Side, (look: Look) => Answer>> = {
  BotToken: ({ findings }) =>
    findings?.botToken === undefined ? undefined : findings.botToken === "rejected" ? "BotTokenRejected" : "well",
  Telegram: ({ findings }) =>
    findings?.telegram === undefined
      ? undefined
      : findings.telegram === "notConnected"
        ? "TelegramNotConnected"
        : "well",
  Data: ({ findings }) =>
    findings?.data === undefined ? undefined : findings.data === "refused" ? "DatabaseRefused" : "well",
  Memory: (look) => (ranOut(look) ? "OutOfMemory" : look.pods.some(({ ready }) => ready) ? "well" : undefined),
  Disk: (look) => {
    const share = diskIs(look)
    if (share === "DiskFull" || share === "DiskNearlyFull") return share
    if (overfull(look)) return "TemporaryDiskFull"
    // What was thrown out is forgotten after an hour, whether the volume's use is known or not.
    return look.before("Disk") === "TemporaryDiskFull" ? "well" : share
  },
  Image: ({ pods }) => {
    const pod = currentPod(pods)
    if (waitsFor(pod, imageFailures)) return "ImagePullFailed"
    return pod?.started === true ? "well" : undefined
  },
  Quota: ({ deployment, overQuota, pods, now }) => {
    if (overQuota) return "QuotaTooSmall"
    if (deployment?.refused?.by === "quota")
      return lasts(deployment.refused.since, now, patienceMillis) ? "QuotaTooSmall" : undefined
    return currentPod(pods) === undefined ? undefined : "well"
  },
  Scheduled: ({ pods, now }) => {
    const pod = currentPod(pods)
    if (pod?.unschedulableSince !== undefined)
      return lasts(pod.unschedulableSince, now, patienceMillis) ? "NoRoom" : undefined
    return pod?.scheduled === true ? "well" : undefined
  },
}

const isCrashing = (pod: PodBrief, now: number): boolean =>
  pod.waiting.includes("CrashLoopBackOff") ||
  // Between two tries the container runs for a moment, and is no better for it.
  (pod.restarts >= 2 &&
    pod.ended.some(({ at, ran }) => isRecent(at, now, loopMillis) && (ran === undefined || ran < loopMillis)))

/** Why an agent that should be running does not get there, worst first; nothing while it is merely on its way. */
export const standstill = (look: Look): Reason | undefined => {
  const { deployment, pods, now } = look
  if (isRunning(deployment, pods)) return undefined
  const found = (side: Side) => {
    const answer = checks[side](look)
    return answer === "well" ? undefined : answer
  }
  const pod = currentPod(pods)
  const image = found("Image")
  if (image !== undefined) return image
  if (waitsFor(pod, configFailures)) return "ConfigurationMissing"
  if (pod !== undefined && isCrashing(pod, now)) return found("Memory") ?? "Crashing"
  const room = found("Scheduled") ?? found("Quota")
  if (room !== undefined) return room
  if (deployment?.refused?.by === "other" && lasts(deployment.refused.since, now, patienceMillis)) return "PodRefused"
  const isSlow = pod?.notReadySince !== undefined && now - pod.notReadySince >= slowMillis
  return deployment?.stalled === true || isSlow ? "SlowStart" : undefined
}
