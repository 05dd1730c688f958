/**
 * Has what we know of a customer follow Stripe. Objects are fetched outside any transaction; then mirror, projection and the
 * mark that the work is done are one commit. `billing_rev` is read before Stripe is asked: if another answer was written
 * meanwhile, Stripe is asked again, so that an older answer never overwrites a newer one.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import * as Mirror from "./Mirror.ts"
import { Payments } from "./Payments.ts"
import { project } from "./Projection.ts"

/** Others wrote about this customer again and again meanwhile; the row is tried later. */
export class Overtaken extends Schema.TaggedError<Overtaken>()("Overtaken", { accountId: Schema.String }) {}

/** What to fetch. */
export type Wanted =
  | { readonly _tag: "Invoice" | "Subscription" | "Payment"; readonly id: string }
  /** The subscription with its newest invoices and what became of their payments. */
  | { readonly _tag: "Everything"; readonly subscriptionId: string }

interface Account {
  readonly id: CustomerId
  readonly rev: number
  /** Whether the mirror has what the customer lives by from its first invoice on; until then everything is fetched. */
  readonly complete: boolean
}

const nothing: Mirror.Fetched = { subscription: undefined, invoices: [], payments: [] }

/** Payments that old invoices were paid by are as they were; the newest may have gone back. */
const recentPayments = 6

const everything = Effect.fnUntraced(function* (subscriptionId: string) {
  const payments = yield* Payments
  const subscription = yield* payments.subscription(subscriptionId)
  const invoices = yield* payments.invoices(subscriptionId)
  const paidBy = invoices.flatMap(({ paymentId }) => paymentId ?? []).slice(0, recentPayments)
  return { subscription, invoices, payments: yield* Effect.forEach(paidBy, payments.payment) }
})

const fetchAll = Effect.fn("AccountSync.fetch")(function* (wanted: Wanted, complete: boolean) {
  const payments = yield* Payments
  switch (wanted._tag) {
    case "Payment":
      return { ...nothing, payments: [yield* payments.payment(wanted.id)] }
    case "Subscription":
      return complete
        ? { ...nothing, subscription: yield* payments.subscription(wanted.id) }
        : yield* everything(wanted.id)
    case "Invoice": {
      const invoice = yield* payments.invoice(wanted.id)
      // An invoice that belongs to no subscription, as a pack's, moves nothing.
      if (invoice.subscriptionId === null) return nothing
      return complete
        ? { ...nothing, invoices: [invoice], subscription: yield* payments.subscription(invoice.subscriptionId) }
        : yield* everything(invoice.subscriptionId)
    }
    case "Everything":
      return yield* everything(wanted.subscriptionId)
  }
})

/** `account` finds the row by whatever the caller knows; an account that is not found has bought nothing here. */
const follow = Effect.fn("AccountSync.follow")(function* <E>(
  rowId: string,
  account: Effect.Effect<Account | undefined, E>,
  wanted: Wanted,
) {
  const sql = yield* SqlClient
  const work = yield* Work
  const events = yield* CustomerEvents
  const write = Effect.fnUntraced(function* ({ id, rev }: Account, fetched: Mirror.Fetched) {
    const moved = yield* sql`
      UPDATE accounts SET billing_rev = billing_rev + 1 WHERE id = ${id} AND billing_rev = ${rev} RETURNING id`
    if (moved.length === 0) return false
    yield* Mirror.put(id, fetched)
    yield* project(id)
    yield* work.done(rowId)
    return true
  })
  for (let tries = 0; tries < 5; tries++) {
    const found = yield* account
    if (found === undefined) return yield* work.done(rowId)
    const fetched = yield* fetchAll(wanted, found.complete)
    if (yield* sql.withTransaction(write(found, fetched))) return yield* events.announce(found.id)
  }
  return yield* new Overtaken({ accountId: (yield* account)?.id ?? "" })
})

const isComplete = (sql: SqlClient) =>
  sql.literal(`NOT EXISTS (
    SELECT 1 FROM orders o WHERE o.account_id = a.id AND o.status = 'paid' AND NOT EXISTS (
      SELECT 1 FROM invoices i WHERE i.subscription_id = o.subscription_id AND i.reason = 'create'))`)

/** Follows an object of a Stripe customer. */
export const ofCustomer = Effect.fn("AccountSync.ofCustomer")(function* (
  rowId: string,
  stripeCustomerId: string,
  wanted: Wanted,
) {
  const sql = yield* SqlClient
  const account = sql<Account>`
    SELECT id, billing_rev AS rev, ${isComplete(sql)} AS complete
    FROM accounts a WHERE stripe_customer_id = ${stripeCustomerId}`
  return yield* follow(
    rowId,
    Effect.map(account, ([row]) => row),
    wanted,
  )
})

/** Follows everything of a subscription that we have booked. */
export const ofSubscription = Effect.fn("AccountSync.ofSubscription")(function* (
  rowId: string,
  subscriptionId: string,
) {
  const sql = yield* SqlClient
  const account = sql<Account>`
    SELECT a.id, a.billing_rev AS rev, true AS complete FROM accounts a JOIN subscriptions s ON s.account_id = a.id
    WHERE s.id = ${subscriptionId}`
  return yield* follow(
    rowId,
    Effect.map(account, ([row]) => row),
    { _tag: "Everything", subscriptionId },
  )
})

/** What is known already is enough: brings the customer to what the mirror says. */
export const again = Effect.fn("AccountSync.again")(function* (rowId: string, customerId: CustomerId) {
  const sql = yield* SqlClient
  const work = yield* Work
  const events = yield* CustomerEvents
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId} FOR UPDATE`
      yield* project(customerId)
      yield* work.done(rowId)
    }),
  )
  yield* events.announce(customerId)
})
