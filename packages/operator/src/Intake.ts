/** What becomes of a job, given what the cluster holds. Pure. */
import type { Job, Sealed, SecretPurpose } from "@berth/domain/Jobs"
import type { AgentSpec } from "./Agent.ts"

export type Decision =
  /** Nothing newer stands: accept it. */
  | { readonly _tag: "Accept"; readonly spec: AgentSpec; readonly envelopes: Readonly<Record<SecretPurpose, Sealed>> }
  /** A newer one, or this very one, was accepted before. `report` tells control again that it was. */
  | { readonly _tag: "Ignore"; readonly report: boolean }
  /** The job contradicts itself; no retry can help. */
  | { readonly _tag: "Refuse"; readonly reason: string }

/** The generations that stand for the job's agent; 0 where there is none. */
export interface Standing {
  readonly agent: number
  /** Of the operator's own record, which is written first. */
  readonly record: number
  readonly tombstone: number
}

export const decide = (job: Job, standing: Standing): Decision => {
  const { desired, generation } = job
  // Control missed that it is deleted, or would not ask.
  if (generation <= standing.tombstone) return { _tag: "Ignore", report: true }
  if (generation < Math.max(standing.agent, standing.record)) return { _tag: "Ignore", report: false }
  // Only when both stand is nothing left to do: a crash between them is finished by accepting the job again.
  if (generation === standing.agent && generation === standing.record) return { _tag: "Ignore", report: true }
  if (desired.deletion !== undefined && job.reason !== "deprovision")
    return { _tag: "Refuse", reason: "asks for a deletion without being a deprovision job" }
  if (desired.deletion !== undefined && desired.deletion.confirmedGeneration > generation)
    return { _tag: "Refuse", reason: "confirms a deletion for a generation that it is not" }
  const envelope = (purpose: SecretPurpose) =>
    job.sealed.find((one) => one.purpose === purpose && one.version === desired.secrets[purpose])
  const [proxyToken, botToken, gatewayToken] = [envelope("proxyToken"), envelope("botToken"), envelope("gatewayToken")]
  if (proxyToken === undefined || botToken === undefined || gatewayToken === undefined)
    return { _tag: "Refuse", reason: "lacks the envelope of a secret that it names" }
  return { _tag: "Accept", spec: { ...desired, generation }, envelopes: { proxyToken, botToken, gatewayToken } }
}
