import { Allowance } from "@berth/domain/Allowance"
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import { SqlClient } from "effect/sql/SqlClient"
import * as Billing from "../../src/billing/Billing.ts"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import { pretendOperator } from "../../src/embedded/SampleOrder.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import { checkedOut, realTime, stateOf, worldAt } from "./World.ts"

const running = Layer.mergeAll(
  Layer.fresh(Billing.layer({ publicUrl: "http://berth.test" })),
  Layer.fresh(Billing.layer({ publicUrl: "http://berth.test" })),
  pretendOperator,
)

const eventually = <E, R>(what: string, holds: Effect.Effect<boolean, E, R>) =>
  Effect.gen(function* () {
    const until = (yield* Clock.currentTimeMillis) + 20_000
    while (!(yield* holds)) {
      if ((yield* Clock.currentTimeMillis) > until) return assert.fail(what)
      yield* Effect.sleep("50 millis")
    }
    return undefined
  })

layer(worldAt(realTime), { timeout: "60 seconds", excludeTestServices: true })(
  "two billing processes at once",
  (it) => {
    it.effect("bring every paid customer to life, bill once and mail once, and heal a lost Redis", () =>
      Effect.gen(function* () {
        const double = yield* StripeDouble
        const sql = yield* SqlClient
        const allowance = yield* Allowance
        yield* double.sendTwice(true)
        const scope = yield* Scope.make()
        yield* Layer.buildWithScope(running, scope)
        const customers = yield* Effect.forEach([1, 2, 3, 4, 5], () => checkedOut())
        yield* Effect.forEach(customers, ({ checkoutId }) => double.pay(checkoutId), { concurrency: 5 })

        yield* eventually(
          "all mails are there",
          Effect.map((yield* Mailbox).mails, (mails) => mails.length === customers.length),
        )
        for (const { accountId } of customers) {
          const state = yield* stateOf(accountId)
          assert.deepInclude(state.agents[0], { phase: "active", reported_generation: 1 })
          assert.lengthOf(state.ledger, 1)
          assert.lengthOf(state.tokens, 1)
          assert.deepStrictEqual(
            state.events.map(({ type }: any) => type).filter((type: string) => type !== "step"),
            ["paid", "payment.received", "active"],
          )
        }
        assert.lengthOf(yield* sql`SELECT 1 FROM work WHERE queue = 'jobs' AND done_at IS NULL`, 0)

        for (const { accountId } of customers) yield* allowance.forget(accountId)
        yield* eventually(
          "Redis is whole again",
          Effect.map(
            Effect.forEach(customers, ({ accountId }) => allowance.view(accountId)),
            (views) => views.every(Option.isSome),
          ),
        )
        yield* Scope.close(scope, Exit.void)
      }),
    )
  },
)
