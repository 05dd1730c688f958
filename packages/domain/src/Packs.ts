/**
 * Packs: tokens bought once, beside the plan. Pure data, the one source for offers, checkout and ledger. A pack outlives its
 * period: the plan's tokens are used first, and what a closed period used beyond its plan leaves the packs. Invariant: the
 * worst case at list price stays under a pack's price, and a token costs more than the same token by a larger plan.
 */
import * as Schema from "effect/Schema"

export const PackId = Schema.Literals(["1m", "5m"])
export type PackId = typeof PackId.Type

export interface Pack {
  readonly id: PackId
  readonly name: string
  /** US cents, once. */
  readonly cents: number
  /** Charged tokens (see `Usage.chargeOf`). */
  readonly tokens: number
}

export const packs: Readonly<Record<PackId, Pack>> = {
  "1m": { id: "1m", name: "1M tokens", cents: 1_000, tokens: 1_000_000 },
  "5m": { id: "5m", name: "5M tokens", cents: 4_000, tokens: 5_000_000 },
}

/** The smallest first. */
export const soldPacks: ReadonlyArray<PackId> = ["1m", "5m"]
