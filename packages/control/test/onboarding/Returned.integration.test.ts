/** Coming back from the payment page, over HTTP from the browser to the internal port, with Stripe's double behind it. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { CustomerId } from "@berth/domain/Ids"
import { ServiceBearer } from "@berth/domain/ServiceBearer"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { callers } from "../../src/api/Server.ts"
import { Sessions } from "../../src/api/Sessions.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import { Onboarding } from "../../src/onboarding/Onboarding.ts"
import { Provisioning } from "../../src/onboarding/Provisioning.ts"
import { routes as onboardingRoutes } from "../../src/onboarding/Server.ts"
import { TelegramInbox } from "../../src/onboarding/TelegramInbox.ts"
import * as ProvisionRoutes from "../../src/provision/ProvisionRoutes.ts"
import { site } from "../api/World.ts"
import { checkedOut, customer, deafWorld, stateOf, stripeEvents, webhooksArrived, world } from "../billing/World.ts"

/** Serves routes on a port of their own; where. */
const served = <A, E, R>(routes: Layer.Layer<A, E, R>) =>
  Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(Layer.fresh(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))),
    ),
  ).pipe(Effect.map((built) => HttpServer.formatAddress(Context.get(built, HttpServer.HttpServer).address)))

class ChatOrigin extends Context.Service<ChatOrigin, string>()("test/ChatOrigin") {}

/** Onboarding's public port, which asks the internal one with this bearer. Nobody talks here. */
const onboarding = (bearer: string) =>
  Layer.effect(
    ChatOrigin,
    Effect.gen(function* () {
      const secret = ServiceBearer.layerOf(Redacted.make("service-secret"))
      const url = yield* served(Layer.provide(ProvisionRoutes.layer, secret))
      const provisioning = Provisioning.layer({ url, token: Redacted.make(bearer) })
      return yield* served(Layer.provide(onboardingRoutes, provisioning))
    }),
  ).pipe(Layer.provideMerge(callers), Layer.provide([Layer.mock(Onboarding, {}), Layer.mock(TelegramInbox, {}), site]))

/** A session of an account. */
const signIn = Effect.fn("signIn")(function* (account: CustomerId) {
  const sql = yield* SqlClient
  const { accountId, token } = yield* (yield* Sessions).open
  yield* sql`UPDATE sessions SET account_id = ${account} WHERE account_id = ${accountId}`
  return Redacted.value(token)
})

const comeBack = Effect.fn("comeBack")(function* (orderId: string, token?: string) {
  const origin = yield* ChatOrigin
  return yield* Effect.promise(async () => {
    const response = await fetch(`${origin}/api/conversations/returned`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ orderId }),
    })
    return { status: response.status, outcome: ((await response.json()) as { outcome?: string }).outcome }
  })
})

/** One of everything that a payment makes. */
const startedOnce = Effect.fn("startedOnce")(function* (accountId: CustomerId) {
  const state = yield* stateOf(accountId)
  const paid = state.events.filter(({ type }: any) => type === "paid")
  const counts = [state.agents, state.jobs, state.ledger, state.periods, state.tokens, paid].map(({ length }) => length)
  assert.deepStrictEqual(counts, [1, 1, 1, 1, 1, 1])
  return state.digest
})

const suite = { timeout: "60 seconds", excludeTestServices: true } as const

layer(onboarding("service-secret").pipe(Layer.provideMerge(world)), suite)("coming back from paying", (it) => {
  it.effect("is for the order's owner alone: for others it does not exist, and nothing starts", () =>
    Effect.gen(function* () {
      const { accountId, checkoutId, orderId } = yield* checkedOut()
      yield* (yield* StripeDouble).pay(checkoutId)
      const before = yield* stateOf(accountId)
      const stranger = yield* signIn((yield* checkedOut()).accountId)
      assert.deepStrictEqual(yield* comeBack(orderId, stranger), { status: 404, outcome: undefined })
      assert.deepStrictEqual(yield* comeBack("ord_none", stranger), { status: 404, outcome: undefined })
      assert.strictEqual((yield* comeBack(orderId)).status, 401)
      assert.strictEqual((yield* stateOf(accountId)).digest, before.digest)
    }),
  )

  it.effect("unpaid: changes nothing, and is accepted once it is paid", () =>
    Effect.gen(function* () {
      const { accountId, checkoutId, orderId } = yield* checkedOut()
      const token = yield* signIn(accountId)
      const before = yield* stateOf(accountId)
      assert.deepStrictEqual(yield* comeBack(orderId, token), { status: 200, outcome: "unpaid" })
      assert.strictEqual((yield* stateOf(accountId)).digest, before.digest)
      yield* (yield* StripeDouble).pay(checkoutId)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* comeBack(orderId, token), { status: 200, outcome: "accepted" })
      yield* startedOnce(accountId)
    }),
  )

  it.effect("a replaced order that was paid all the same is left to the webhook", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, checkoutId, orderId } = yield* checkedOut()
      yield* sql`UPDATE orders SET status = 'canceled' WHERE id = ${orderId}`
      yield* (yield* StripeDouble).pay(checkoutId)
      const before = yield* stateOf(accountId)
      assert.strictEqual((yield* comeBack(orderId, yield* signIn(accountId))).outcome, "unpaid")
      assert.strictEqual((yield* stateOf(accountId)).digest, before.digest)
      yield* webhooksArrived
      yield* stripeEvents
      yield* startedOnce(accountId)
    }),
  )

  it.effect("after the webhook it changes nothing, and neither does a webhook that comes later", () =>
    Effect.gen(function* () {
      const known = yield* customer()
      const before = yield* startedOnce(known.accountId)
      assert.strictEqual((yield* comeBack(known.orderId, yield* signIn(known.accountId))).outcome, "accepted")
      assert.strictEqual((yield* stateOf(known.accountId)).digest, before)

      const { accountId, checkoutId, orderId } = yield* checkedOut()
      yield* (yield* StripeDouble).pay(checkoutId)
      assert.strictEqual((yield* comeBack(orderId, yield* signIn(accountId))).outcome, "accepted")
      yield* stripeEvents
      const started = yield* startedOnce(accountId)
      yield* webhooksArrived
      yield* stripeEvents
      assert.strictEqual((yield* stateOf(accountId)).digest, started)
    }),
  )

  it.effect("racing the webhook, from two tabs, it starts one agent", () =>
    Effect.gen(function* () {
      for (let round = 0; round < 8; round++) {
        const { accountId, checkoutId, orderId } = yield* checkedOut()
        const token = yield* signIn(accountId)
        yield* (yield* StripeDouble).pay(checkoutId)
        // In half of the rounds the events are there already when the customer comes back.
        if (round % 2 === 0) yield* webhooksArrived
        const webhook = Effect.andThen(webhooksArrived, stripeEvents)
        const [one, , two] = yield* Effect.all([comeBack(orderId, token), webhook, comeBack(orderId, token)], {
          concurrency: "unbounded",
        })
        assert.deepStrictEqual([one.outcome, two.outcome], ["accepted", "accepted"])
        yield* startedOnce(accountId)
      }
    }),
  )
})

layer(onboarding("service-secret").pipe(Layer.provideMerge(deafWorld)), suite)("a lost webhook", (it) => {
  it.effect("loses nothing: the return alone starts the agent", () =>
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const sql = yield* SqlClient
      const { accountId, checkoutId, orderId } = yield* checkedOut()
      yield* double.pay(checkoutId)
      assert.strictEqual((yield* comeBack(orderId, yield* signIn(accountId))).outcome, "accepted")
      yield* startedOnce(accountId)
      const [order] = yield* sql`SELECT status, job_id FROM orders WHERE id = ${orderId}`
      assert.deepStrictEqual(order, { status: "paid", job_id: `job:${orderId}:1` })
      assert.isNotEmpty((yield* double.world).deliveries, "Stripe still has its events to deliver")
      assert.deepStrictEqual(yield* sql`SELECT id FROM work WHERE queue = 'stripe' AND id LIKE 'stripe:evt%'`, [])
    }),
  )
})

layer(onboarding("wrong").pipe(Layer.provideMerge(world)), suite)("a wrong service bearer", (it) => {
  it.effect("starts nothing and is told as unavailable; the webhook works all the same", () =>
    Effect.gen(function* () {
      const { accountId, checkoutId, orderId } = yield* checkedOut()
      yield* (yield* StripeDouble).pay(checkoutId)
      const before = yield* stateOf(accountId)
      assert.deepStrictEqual(yield* comeBack(orderId, yield* signIn(accountId)), {
        status: 200,
        outcome: "unavailable",
      })
      assert.strictEqual((yield* stateOf(accountId)).digest, before.digest)
      yield* webhooksArrived
      yield* stripeEvents
      yield* startedOnce(accountId)
    }),
  )
})
