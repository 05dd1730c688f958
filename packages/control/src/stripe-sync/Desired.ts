/**
 * What a Stripe account must hold for Berth to sell by it, from the catalogue: products, prices, the customers' portal and
 * the webhook endpoint. Pure. Ids and lookup keys are Berth's own, so that no id of an account stands anywhere.
 */
import { type PackId, packs, soldPacks } from "@berth/domain/Packs"
import { soldTiers, tiers } from "@berth/domain/Tiers"
import { eventTypes } from "../billing/EventTypes.ts"

export type Metadata = Readonly<Record<string, string>>

export interface Product {
  readonly id: string
  readonly name: string
  /** What the payment page shows below the name. */
  readonly description: string
  readonly metadata: Metadata
}

export interface Price {
  readonly lookupKey: string
  readonly productId: string
  /** US cents. */
  readonly cents: number
  readonly every: "month" | "once"
  readonly metadata: Metadata
}

/** What customers may do on Stripe's own page. Plans are changed and canceled with Berth, which knows what that costs. */
export interface Portal {
  readonly returnUrl: string
  readonly customerUpdates: ReadonlyArray<string>
  readonly invoices: boolean
  readonly paymentMethods: boolean
  readonly canCancel: boolean
  readonly canPause: boolean
  readonly canChangePlan: boolean
}

export interface Endpoint {
  readonly url: string
  readonly events: ReadonlyArray<string>
  /** In which events are sent; it can't be changed later. */
  readonly apiVersion: string
}

export interface Desired {
  readonly products: ReadonlyArray<Product>
  readonly prices: ReadonlyArray<Price>
  readonly portal: Portal
  /** None where Stripe could not reach it. */
  readonly endpoint: Endpoint | undefined
}

/** How Berth's portal configuration is told from others of the account. */
export const portalMark: Metadata = { berth: "portal" }

const million = 1_000_000

const tierProduct = (id: (typeof soldTiers)[number]): Product => ({
  id: `berth_tier_${id}`,
  name: `Berth ${tiers[id].name}`,
  description: `A hosted OpenClaw agent with ${tiers[id].monthlyTokens / million}M tokens a month`,
  metadata: { berth_tier: id },
})

const packProduct = (id: PackId): Product => ({
  id: `berth_pack_${id}`,
  name: `Berth ${packs[id].name}`,
  description: `${packs[id].tokens / million}M tokens beside the plan; they do not expire while the account lives`,
  metadata: { berth_pack: id },
})

/** Stripe sends to public addresses with TLS alone. */
const reachable = ({ protocol }: URL): boolean => protocol === "https:"

export interface Keys {
  readonly ofTier: (id: (typeof soldTiers)[number]) => string
  readonly ofPack: (id: PackId) => string
}

export const desiredOf = (publicUrl: URL, apiVersion: string, lookupKey: Keys): Desired => ({
  products: [...soldTiers.map(tierProduct), ...soldPacks.map(packProduct)],
  prices: [
    ...soldTiers.map((id): Price => {
      const { id: productId, metadata } = tierProduct(id)
      return { lookupKey: lookupKey.ofTier(id), productId, cents: tiers[id].monthlyCents, every: "month", metadata }
    }),
    ...soldPacks.map((id): Price => {
      const { id: productId, metadata } = packProduct(id)
      return { lookupKey: lookupKey.ofPack(id), productId, cents: packs[id].cents, every: "once", metadata }
    }),
  ],
  portal: {
    returnUrl: `${publicUrl.origin}/billing`,
    customerUpdates: ["address", "name", "tax_id"],
    invoices: true,
    paymentMethods: true,
    canCancel: false,
    canPause: false,
    canChangePlan: false,
  },
  endpoint: reachable(publicUrl)
    ? { url: `${publicUrl.origin}/webhooks/stripe`, events: eventTypes, apiVersion }
    : undefined,
})
