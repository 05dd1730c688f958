/**
 * What the embedded Stripe knows, and how a purchase moves it. Pure. Instants are epoch seconds, as in Stripe's API.
 * Invariant: one payment per checkout; every change comes with the events that tell it, in the same value.
 */
import * as Period from "@berth/domain/Allowance/Period"
import { SoldTierId } from "@berth/domain/Tiers"
import * as Schema from "effect/Schema"
import { eventJson, invoiceJson, sessionJson, subscriptionJson } from "./Objects.ts"

const Metadata = Schema.Record(Schema.String, Schema.String)
const Nullable = Schema.NullOr(Schema.String)

export const Session = Schema.Struct({
  id: Schema.String,
  orderId: Nullable,
  email: Nullable,
  tier: SoldTierId,
  metadata: Metadata,
  subscriptionMetadata: Metadata,
  successUrl: Schema.String,
  cancelUrl: Schema.String,
  url: Schema.String,
  created: Schema.Int,
  expiresAt: Schema.Int,
  status: Schema.Literals(["open", "complete", "expired"]),
  customerId: Nullable,
  subscriptionId: Nullable,
})
export type Session = typeof Session.Type

export const Subscription = Schema.Struct({
  id: Schema.String,
  customerId: Schema.String,
  tier: SoldTierId,
  metadata: Metadata,
  status: Schema.Literals(["active", "past_due", "canceled"]),
  anchor: Schema.Int,
  periodStart: Schema.Int,
  periodEnd: Schema.Int,
  cancelAt: Schema.NullOr(Schema.Int),
  endedAt: Schema.NullOr(Schema.Int),
})
export type Subscription = typeof Subscription.Type

export const Invoice = Schema.Struct({
  id: Schema.String,
  customerId: Schema.String,
  subscriptionId: Schema.String,
  tier: SoldTierId,
  periodStart: Schema.Int,
  periodEnd: Schema.Int,
  created: Schema.Int,
})
export type Invoice = typeof Invoice.Type

/** An event that no endpoint has acknowledged yet. */
export const Delivery = Schema.Struct({ id: Schema.String, body: Schema.String, attempts: Schema.Int })
export type Delivery = typeof Delivery.Type

export const World = Schema.Struct({
  sessions: Schema.Record(Schema.String, Session),
  subscriptions: Schema.Record(Schema.String, Subscription),
  invoices: Schema.Record(Schema.String, Invoice),
  /** The parameters that an Idempotency-Key came with, and what it made. */
  idempotency: Schema.Record(Schema.String, Schema.Struct({ params: Schema.String, sessionId: Schema.String })),
  deliveries: Schema.Array(Delivery),
  /** US cents that were refunded, by invoice. */
  refunds: Schema.optionalKey(Schema.Record(Schema.String, Schema.Int)),
})
export type World = typeof World.Type

export const emptyWorld: World = { sessions: {}, subscriptions: {}, invoices: {}, idempotency: {}, deliveries: [] }

/** How long a checkout stays open. */
const openSeconds = 86_400

export type Draft = Omit<Session, "created" | "expiresAt" | "status" | "subscriptionId">

const tail = (id: string): string => id.slice(id.lastIndexOf("_") + 1)

const emit = (world: World, type: string, of: string, object: object, now: number): World => {
  const id = `evt_${type.replace(/\W/g, "")}${tail(of)}`
  const body = JSON.stringify(eventJson(id, type, object, now))
  return { ...world, deliveries: [...world.deliveries, { id, body, attempts: 0 }] }
}

const putSession = (world: World, session: Session): World => ({
  ...world,
  sessions: { ...world.sessions, [session.id]: session },
})
const putSubscription = (world: World, subscription: Subscription): World => ({
  ...world,
  subscriptions: { ...world.subscriptions, [subscription.id]: subscription },
})

/** The same key and parameters give the same session again; the same key with others is a conflict. */
export const createSession = (
  world: World,
  draft: Draft,
  key: string | undefined,
  params: string,
  now: number,
): { readonly world: World; readonly result: Session | "conflict" } => {
  const known = key === undefined ? undefined : world.idempotency[key]
  const before = known === undefined ? undefined : world.sessions[known.sessionId]
  if (known !== undefined && before !== undefined)
    return { world, result: known.params === params ? before : "conflict" }
  const result: Session = {
    ...draft,
    created: now,
    expiresAt: now + openSeconds,
    status: "open",
    subscriptionId: null,
  }
  const next = putSession(world, result)
  const idempotency =
    key === undefined ? next.idempotency : { ...next.idempotency, [key]: { params, sessionId: draft.id } }
  return { world: { ...next, idempotency }, result }
}

export const expire = (world: World, session: Session, now: number): World => {
  if (session.status !== "open") return world
  const expired: Session = { ...session, status: "expired" }
  return emit(putSession(world, expired), "checkout.session.expired", session.id, sessionJson(expired), now)
}

const bill = (world: World, id: string, subscription: Subscription, now: number): World => {
  const { customerId, tier, periodStart, periodEnd } = subscription
  const invoice = { id, customerId, subscriptionId: subscription.id, tier, periodStart, periodEnd, created: now }
  const next = { ...world, invoices: { ...world.invoices, [id]: invoice } }
  return emit(next, "invoice.paid", id, invoiceJson(invoice), now)
}

const monthAfter = (anchor: number, instant: number): number =>
  Period.boundaryAfter(anchor * 1000, instant * 1000) / 1000

/** The card is charged: subscription, first invoice and the events of both. A checkout that is not open stays as it is. */
export const pay = (world: World, session: Session, now: number): World => {
  if (session.status !== "open") return world
  const name = tail(session.id)
  const subscription: Subscription = {
    id: `sub_${name}`,
    customerId: session.customerId ?? `cus_${name}`,
    tier: session.tier,
    metadata: session.subscriptionMetadata,
    status: "active",
    anchor: now,
    periodStart: now,
    periodEnd: monthAfter(now, now),
    cancelAt: null,
    endedAt: null,
  }
  const paid: Session = {
    ...session,
    status: "complete",
    customerId: subscription.customerId,
    subscriptionId: subscription.id,
  }
  const billed = bill(putSubscription(putSession(world, paid), subscription), `in_${name}`, subscription, now)
  return emit(billed, "checkout.session.completed", session.id, sessionJson(paid), now)
}

/** The next period begins, and its invoice is paid at once. */
export const renew = (world: World, subscription: Subscription, now: number): World => {
  const { anchor, periodEnd } = subscription
  const next = { ...subscription, periodStart: periodEnd, periodEnd: monthAfter(anchor, periodEnd) }
  const moved = emit(
    putSubscription(world, next),
    "customer.subscription.updated",
    `${subscription.id}x${periodEnd}`,
    subscriptionJson(next),
    now,
  )
  return bill(moved, `in_${tail(subscription.id)}x${periodEnd}`, next, now)
}

/** Money of an invoice's payment goes back. */
export const refund = (world: World, invoiceId: string, cents: number): World => ({
  ...world,
  refunds: { ...world.refunds, [invoiceId]: (world.refunds?.[invoiceId] ?? 0) + cents },
})

/** Ends at the period's end, or at once. */
export const cancel = (world: World, subscription: Subscription, when: "periodEnd" | "now", now: number): World => {
  const next: Subscription =
    when === "now"
      ? { ...subscription, status: "canceled", cancelAt: now, endedAt: now }
      : { ...subscription, cancelAt: subscription.periodEnd }
  const type = when === "now" ? "customer.subscription.deleted" : "customer.subscription.updated"
  return emit(putSubscription(world, next), type, `${subscription.id}c${now}`, subscriptionJson(next), now)
}

export const acknowledged = (world: World, id: string): World => ({
  ...world,
  deliveries: world.deliveries.filter((delivery) => delivery.id !== id),
})

export const refused = (world: World, id: string): World => ({
  ...world,
  deliveries: world.deliveries.map((one) => (one.id === id ? { ...one, attempts: one.attempts + 1 } : one)),
})
