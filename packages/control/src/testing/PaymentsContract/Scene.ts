/** What the cases of the contract share: an order, a subscription that is paid for, and what is then looked at. */
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { type SoldTierId, tiers } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import { type InvoiceState, Payments } from "../../billing/Payments.ts"
import type { Stage } from "./Stage.ts"

export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour

export const cents = (tier: SoldTierId): number => tiers[tier].monthlyCents

export interface Scene<R> {
  readonly stage: Stage<R>
  /** Keeps the orders of separate runs apart, for an account that remembers. */
  readonly run: string
}

export const orderOf = (run: string, name: string, tier: SoldTierId = "pro") => ({
  orderId: OrderId.make(`ord_${run}_${name}`),
  accountId: CustomerId.make(`${run}-${name}`),
  tier,
  email: `${name}@example.com`,
})

const join = Effect.fnUntraced(function* <R>(
  { run, stage }: Scene<R>,
  name: string,
  tier: SoldTierId,
  isTimed: boolean,
) {
  const { subscriptionId, stripeCustomerId } = yield* stage.subscribe({ ...orderOf(run, name, tier), isTimed })
  const payments = yield* Payments
  const began = yield* payments.subscription(subscriptionId)
  return { subscriptionId, stripeCustomerId, began, change: changeOf(run, name, subscriptionId) }
})

/** A customer of a tier, with the subscription as it began. */
export const subscribed = <R>(scene: Scene<R>, name: string, tier: SoldTierId = "pro") => join(scene, name, tier, false)

/** The same, whose time may be moved on. */
export const timed = <R>(scene: Scene<R>, name: string, tier: SoldTierId = "pro") => join(scene, name, tier, true)

/** A change of its price; the same `nth` is the same change. */
const changeOf =
  (run: string, name: string, subscriptionId: string) =>
  (tier: SoldTierId, when: "charge" | "renewal", nth = 1) =>
    Payments.use((payments) => payments.changePrice({ subscriptionId, tier, when, key: `${run}:${name}:${nth}` }))

export const invoicesOf = (subscriptionId: string) => Payments.use((payments) => payments.invoices(subscriptionId))

/** The newest of them that is for something; the invoices if there is none, to be seen in the failure. */
export const newest = (
  invoices: ReadonlyArray<InvoiceState>,
  reason: InvoiceState["reason"],
): Effect.Effect<InvoiceState> => {
  const found = invoices.find((invoice) => invoice.reason === reason)
  return found === undefined
    ? Effect.die(new Error(`no invoice is a ${reason}: ${JSON.stringify(invoices)}`))
    : Effect.succeed(found)
}

export const subscriptionNow = (id: string) => Payments.use((payments) => payments.subscription(id))
