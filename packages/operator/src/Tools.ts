/** What a reconcile works with, and the one agent that it has in hand. */
import type { AgentEvent, AgentEvents } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import type { AgentSpec, AgentStatus } from "./Agent.ts"
import type { Cluster } from "./Cluster.ts"
import type { Health } from "./Health.ts"
import type { Exporting } from "./Exporting.ts"
import type { Stored } from "./Manifest.ts"
import type { Observed } from "./Observed.ts"
import type { AgentRecord } from "./Records.ts"
import type { OperatorSettings } from "./Settings.ts"
import type { Starts } from "./Starts.ts"

export interface Tools {
  readonly cluster: Cluster["Service"]
  readonly events: AgentEvents["Service"]
  readonly settings: OperatorSettings
  /** What was found by asking the agents themselves. */
  readonly health: Pick<Health["Service"], "findings">
  readonly exporting: Exporting["Service"]
  /** What stands in the cluster, by the informers. */
  readonly observed: Observed
  /** Who may start now. */
  readonly starts: Starts
  /** Whose namespace may go now. */
  readonly ends: Starts
  /** Seq of the last event that arrived for sure, by agent. Lost with the process: then the last batch is sent again. */
  readonly delivered: Map<CustomerId, number>
  /** Since when (epoch ms) the cluster has forbidden what an agent needs, without a success in between. */
  readonly forbidden: Map<CustomerId, number>
  /**
   * Agents that are on their way to run, as the last pass left them: they are looked at many times in a row. Each is good as
   * long as the informers know no newer one.
   */
  readonly hands: Map<CustomerId, { readonly stored: Stored; readonly record: AgentRecord }>
  /** The customer's Secret as it was last seen to be right; Secrets are not watched. */
  readonly secretsSeen: Map<CustomerId, string>
  /** Tells people who look at the cluster what was reported of an agent. Never fails and never waits. */
  readonly witness: (agent: InHand, event: AgentEvent) => void
}

/** Why an agent is looked at. */
export interface Look {
  /** Tell its phase and generation although nothing is new. */
  readonly report: boolean
  /** A look just in case, which reads also what no watch tells. */
  readonly resync: boolean
}

/** One agent as it was found at the beginning of a pass. */
export interface InHand {
  readonly customerId: CustomerId
  readonly stored: Stored
  /** The Agent's resourceVersion as this pass knows it; its own writes move it on. */
  readonly place: { version: string; written?: Stored }
  /** What is asked for: by the operator's own record, or by the Agent where there is none. */
  readonly spec: AgentSpec
  readonly before: AgentStatus
}

/** How soon an agent is looked at again although nothing was seen to change, in the middle of a deletion. */
export const soonMillis = 2_000
