import { Work } from "@berth/domain/Work"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as AccountSync from "../../src/billing/AccountSync.ts"
import { Payments, type SubscriptionState } from "../../src/billing/Payments.ts"
import { customer, november, stripeEvents, world } from "./World.ts"

const day = 86_400_000

/** Stripe, which answers about a subscription what `answer` says. */
const asking = (answer: (asked: number, now: SubscriptionState) => Effect.Effect<SubscriptionState>) =>
  Effect.gen(function* () {
    const real = yield* Payments
    let asked = 0
    const subscription: typeof real.subscription = (id) =>
      Effect.flatMap(real.subscription(id), (now) => answer(++asked, now))
    return { payments: Payments.of({ ...real, subscription }), count: () => asked }
  })

const row = Effect.fn("row")(function* (id: string) {
  const work = yield* Work
  yield* work.offer({ id, queue: "stripe", lane: id, payload: {} })
  return id
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("what Stripe answered", (it) => {
  it.effect("and is older than what was written meanwhile is not written: Stripe is asked again", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, subscriptionId } = yield* customer()
      yield* stripeEvents
      const newer = yield* asking((_, now) => Effect.succeed({ ...now, cancelAt: november + 9 * day }))
      // While the first answer is on its way, somebody else learns of the cancellation and writes it down.
      const slow = yield* asking((asked, now) =>
        asked > 1
          ? Effect.succeed({ ...now, cancelAt: november + 9 * day })
          : Effect.gen(function* () {
              const other = yield* row("stripe:other")
              yield* AccountSync.ofSubscription(other, subscriptionId).pipe(
                Effect.provideService(Payments, newer.payments),
              )
              return { ...now, cancelAt: null }
            }).pipe(Effect.provideContext(context), Effect.orDie),
      )
      const context = yield* Effect.context<Effect.Services<ReturnType<typeof AccountSync.ofSubscription>> | Work>()
      yield* AccountSync.ofSubscription(yield* row("stripe:slow"), subscriptionId).pipe(
        Effect.provideService(Payments, slow.payments),
      )
      assert.strictEqual(slow.count(), 2)
      const [mirror] = yield* sql`SELECT cancel_at FROM subscriptions WHERE id = ${subscriptionId}`
      assert.deepStrictEqual(mirror, { cancel_at: november + 9 * day })
      const [allowance] = yield* sql`SELECT service_until FROM allowances WHERE customer_id = ${accountId}`
      assert.deepStrictEqual(allowance, { service_until: november + 9 * day })
      const open = yield* sql`SELECT id FROM work WHERE queue = 'stripe' AND done_at IS NULL`
      assert.deepStrictEqual(open, [])
    }),
  )
})
