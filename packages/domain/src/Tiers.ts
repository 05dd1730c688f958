/**
 * The catalogue: what each tier costs and grants. Pure data, the one source for offers, checkout, admission and quotas.
 * Invariant: the worst case of a month at list price stays under the tier's price, which is why models are pinned.
 */
import * as Schema from "effect/Schema"

/** `internal` is Berth's own use of the proxy (the onboarding conversation); it is never sold. */
export const TierId = Schema.Literals(["starter", "pro", "team", "internal"])
export type TierId = typeof TierId.Type

/** The tiers that a customer can buy, cheapest first. */
export const SoldTierId = Schema.Literals(["starter", "pro", "team"])
export type SoldTierId = typeof SoldTierId.Type
export const soldTiers: ReadonlyArray<SoldTierId> = ["starter", "pro", "team"]

export const ModelId = Schema.Literals(["kimi-k2.6", "kimi-k2.7-code"])
export type ModelId = typeof ModelId.Type

export interface Tier {
  readonly id: TierId
  readonly name: string
  /** US cents a month. */
  readonly monthlyCents: number
  /** Charged tokens a month (see `Usage.chargeOf`). */
  readonly monthlyTokens: number
  /** The most of them that heartbeat and cron turns may use, so that an idle agent leaves the rest to its owner. */
  readonly backgroundTokens: number
  /** The first is the agent's default. */
  readonly models: ReadonlyArray<ModelId>
  readonly requestsPerMinute: number
  /** Requests in flight at once. */
  readonly concurrency: number
  /** Completion tokens assumed and forwarded when a request names no maximum. */
  readonly defaultCompletionTokens: number
  readonly resources: {
    readonly cpuRequest: string
    readonly cpuLimit: string
    readonly memoryRequest: string
    readonly memoryLimit: string
    readonly storage: string
  }
}

const everyModel: ReadonlyArray<ModelId> = ["kimi-k2.6", "kimi-k2.7-code"]

// OpenClaw peaks at 1.26 GiB in its first turn and is killed at 1 GiB (measured on 2026.9.6), so no tier goes below this.
const resources = (cpuLimit: string, memoryLimit: string, storage: string): Tier["resources"] => ({
  cpuRequest: "100m",
  cpuLimit,
  memoryRequest: "1280Mi",
  memoryLimit,
  storage,
})

export const tiers: Readonly<Record<TierId, Tier>> = {
  starter: {
    id: "starter",
    name: "Starter",
    monthlyCents: 1_900,
    monthlyTokens: 1_000_000,
    backgroundTokens: 200_000,
    models: everyModel,
    requestsPerMinute: 30,
    concurrency: 4,
    defaultCompletionTokens: 8_192,
    resources: resources("1", "2Gi", "5Gi"),
  },
  pro: {
    id: "pro",
    name: "Pro",
    monthlyCents: 4_900,
    monthlyTokens: 5_000_000,
    backgroundTokens: 1_000_000,
    models: everyModel,
    requestsPerMinute: 60,
    concurrency: 8,
    defaultCompletionTokens: 16_384,
    resources: resources("2", "2Gi", "10Gi"),
  },
  team: {
    id: "team",
    name: "Team",
    monthlyCents: 12_900,
    monthlyTokens: 20_000_000,
    backgroundTokens: 4_000_000,
    models: everyModel,
    requestsPerMinute: 180,
    concurrency: 24,
    defaultCompletionTokens: 32_768,
    resources: resources("4", "4Gi", "20Gi"),
  },
  internal: {
    id: "internal",
    name: "Internal",
    monthlyCents: 0,
    monthlyTokens: 50_000_000,
    backgroundTokens: 50_000_000,
    models: everyModel,
    requestsPerMinute: 600,
    concurrency: 64,
    defaultCompletionTokens: 2_048,
    resources: resources("1", "2Gi", "1Gi"),
  },
}

/** What the model itself requires, whatever the tier. Prices in micro-USD per token. Source: Moonshot's price list, November 2026. */
export interface Model {
  readonly id: ModelId
  /** Always reasons before it answers, so a small completion budget would be eaten by thought. */
  readonly thinks: boolean
  readonly contextTokens: number
  readonly microUsdPerToken: { readonly cached: number; readonly prompt: number; readonly completion: number }
}

export const models: Readonly<Record<ModelId, Model>> = {
  "kimi-k2.6": {
    id: "kimi-k2.6",
    thinks: false,
    contextTokens: 262_144,
    microUsdPerToken: { cached: 0.16, prompt: 0.95, completion: 4 },
  },
  "kimi-k2.7-code": {
    id: "kimi-k2.7-code",
    thinks: true,
    contextTokens: 262_144,
    microUsdPerToken: { cached: 0.19, prompt: 0.95, completion: 4 },
  },
}

/** Version of the price table and of the charge rule, recorded with every usage entry. */
export const priceVersion = "2026-11"

/** "Pro · $49/mo · 5M tokens/mo": the words of the offer, from the same data as the bill. */
export const headline = (tier: Tier): string =>
  `${tier.name} · $${tier.monthlyCents / 100}/mo · ${tier.monthlyTokens / 1_000_000}M tokens/mo`
