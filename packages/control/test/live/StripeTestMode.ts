/**
 * The stage of the contract at Stripe itself, in test mode: customers on test clocks, with Stripe's test cards. What can't be
 * had by a program is left out: paying at the hosted page, and a dispute of a payment that was made without one in mind.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Stripe } from "stripe"
import * as PaymentsStripe from "../../src/live/PaymentsStripe.ts"
import { lookupKeyOf } from "../../src/live/PaymentsStripe/States.ts"
import * as Account from "../../src/live/PaymentsStripe/Account.ts"
import { sync } from "../../src/stripe-sync/Sync.ts"
import type { Stage } from "../../src/testing/PaymentsContract/Stage.ts"
import { wantedAt } from "../stripe-sync/World.ts"

interface Client {
  readonly stripe: Stripe
  /** Test clocks and customers of this run, removed at its end with all that hangs on them. */
  readonly made: { readonly clocks: Array<string>; readonly customers: Array<string> }
}

export class TestMode extends Context.Service<TestMode, Client>()("@berth/control/test/StripeTestMode") {}

const publicUrl = "http://berth.test"

const ask = <A>(run: (client: Client) => Promise<A>) =>
  Effect.flatMap(TestMode, (client) => Effect.orDie(Effect.tryPromise(() => run(client))))

/** `server` instead of Stripe, to try what is asked for. */
export const client = (key: string, server?: { readonly host: string; readonly port: number }) =>
  Layer.effect(
    TestMode,
    Effect.acquireRelease(
      Effect.sync((): Client => {
        const stripe = new Stripe(key, {
          maxNetworkRetries: 4,
          telemetry: false,
          ...(server === undefined ? {} : { ...server, protocol: "http" as const }),
        })
        return { stripe, made: { clocks: [], customers: [] } }
      }),
      ({ stripe, made }) =>
        Effect.promise(async () => {
          for (const id of made.clocks) await stripe.testHelpers.testClocks.del(id).catch(() => {})
          for (const id of made.customers) await stripe.customers.del(id).catch(() => {})
        }),
    ),
  )

/** The catalogue is made there first: a program that is sold by what it makes itself is tried as a whole. */
export const layer = (key: string) => {
  const secretKey = Redacted.make(key)
  const desired = wantedAt(publicUrl)
  const catalogue = Layer.effectDiscard(
    sync(desired, { apply: true, secretFile: undefined }).pipe(Effect.provide(Account.layer({ secretKey, desired }))),
  )
  const payments = PaymentsStripe.layer({ secretKey, webhookSecrets: [Redacted.make("whsec_contract")], publicUrl })
  return Layer.mergeAll(payments, catalogue).pipe(Layer.provideMerge(client(key)))
}

const cards = { good: "pm_card_visa", declined: "pm_card_chargeCustomerFail" } as const

const pause = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const untilReady = async (stripe: Stripe, clock: string): Promise<void> => {
  for (let tries = 0; tries < 120; tries++) {
    const { status } = await stripe.testHelpers.testClocks.retrieve(clock)
    if (status === "ready") return
    if (status === "internal_failure") throw new Error(`Stripe's test clock ${clock} failed`)
    await pause(1_000)
  }
  throw new Error(`Stripe's test clock ${clock} is not ready after two minutes`)
}

export const stage: Stage<TestMode> = {
  subscribe: ({ orderId, accountId, tier, email, isTimed }) =>
    ask(async ({ stripe, made }) => {
      const seconds = Math.floor(Date.now() / 1000)
      const clock = isTimed
        ? (await stripe.testHelpers.testClocks.create({ frozen_time: seconds, name: orderId.slice(-60) })).id
        : undefined
      if (clock !== undefined) made.clocks.push(clock)
      const { id: customer } = await stripe.customers.create({
        email,
        payment_method: cards.good,
        invoice_settings: { default_payment_method: cards.good },
        ...(clock === undefined ? {} : { test_clock: clock }),
      })
      if (clock === undefined) made.customers.push(customer)
      const lookup_keys = [lookupKeyOf(tier)]
      const price = (await stripe.prices.list({ lookup_keys, active: true })).data[0]
      if (price === undefined) throw new Error(`no price has the key ${lookup_keys[0]}`)
      const { id } = await stripe.subscriptions.create({
        customer,
        items: [{ price: price.id }],
        metadata: { order_id: orderId, account_id: accountId },
        payment_behavior: "error_if_incomplete",
      })
      return { subscriptionId: id, stripeCustomerId: customer }
    }),
  advance: (customerId, at) =>
    ask(async ({ stripe }) => {
      const customer = await stripe.customers.retrieve(customerId)
      const clock = customer.deleted === true ? null : customer.test_clock
      if (typeof clock !== "string") throw new Error(`${customerId} is on no test clock`)
      await stripe.testHelpers.testClocks.advance(clock, { frozen_time: Math.ceil(at / 1000) })
      await untilReady(stripe, clock)
    }),
  card: (customer, card) =>
    ask(async ({ stripe }) => {
      const { id } = await stripe.paymentMethods.attach(cards[card], { customer })
      await stripe.customers.update(customer, { invoice_settings: { default_payment_method: id } })
    }),
}
