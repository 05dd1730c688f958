import type { CustomerId } from "@berth/domain/Ids"
import type { PackId } from "@berth/domain/Packs"
import { packs } from "@berth/domain/Packs"
import { UsageEvents } from "@berth/domain/UsageEvents"
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import * as Balances from "../../src/billing/Balances.ts"
import * as Mirror from "../../src/billing/Mirror.ts"
import type { InvoiceState, PaymentState } from "../../src/billing/Payments.ts"
import { project } from "../../src/billing/Projection.ts"
import { record } from "../../src/billing/Recorder.ts"
import { invoiceState } from "./Facts.ts"
import { replay } from "./LedgerReplay.ts"
import { streamOf, usage } from "./Stream.ts"
import { customer, world } from "./World.ts"

/** Something that comes to be true at Stripe, of a customer who has bought Pro. */
type Fact =
  | { readonly _tag: "upgrade" }
  | { readonly _tag: "pack"; readonly pack: PackId }
  /** Of the plan's payment, the upgrade's or a pack's: so many hundredths went back, and so many are disputed. */
  | {
      readonly _tag: "back"
      readonly of: "plan" | "upgrade" | PackId
      readonly refunded: number
      readonly disputed: number
    }
type Step = Fact | { readonly _tag: "use"; readonly tokens: number } | { readonly _tag: "renew" }

const pack = fc.constantFrom<PackId>("1m", "5m")
const hundredths = fc.constantFrom(0, 1, 33, 50, 100)
const fact: fc.Arbitrary<Fact> = fc.oneof(
  fc.record({ _tag: fc.constant("upgrade" as const) }),
  fc.record({ _tag: fc.constant("pack" as const), pack }),
  fc.record({
    _tag: fc.constant("back" as const),
    of: fc.constantFrom("plan" as const, "upgrade" as const, "1m" as const, "5m" as const),
    refunded: hundredths,
    disputed: fc.constantFrom(0, 100),
  }),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fact },
  {
    weight: 4,
    arbitrary: fc.record({ _tag: fc.constant("use" as const), tokens: fc.integer({ min: 1, max: 4_000_000 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ _tag: "renew" as const }) },
)

const cents = { plan: 4_900, upgrade: 8_000, "1m": packs["1m"].cents, "5m": packs["5m"].cents }
const paymentOf = (customerId: CustomerId, what: keyof typeof cents) => `pi_${customerId}_${what}`

interface Customer {
  readonly accountId: CustomerId
  readonly subscriptionId: string
}

/** The period that runs, as the mirror has it. */
const periodOf = Effect.fn("periodOf")(function* (accountId: CustomerId) {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ readonly start: number; readonly end: number }>`
    SELECT starts_at AS start, ends_at AS end FROM allowance_periods WHERE customer_id = ${accountId}
    ORDER BY number DESC LIMIT 1`
  return row ?? (yield* Effect.die("no period"))
})

/** Learns of it, as after a webhook: mirrored, then projected, in one transaction. */
const learn = Effect.fn("learn")(function* (one: Customer, what: Fact, period: { start: number; end: number }) {
  const sql = yield* SqlClient
  const { accountId, subscriptionId } = one
  const mirror = (fetched: { invoices?: ReadonlyArray<InvoiceState>; payments?: ReadonlyArray<PaymentState> }) =>
    Mirror.put(accountId, { subscription: undefined, invoices: [], payments: [], ...fetched })
  const own = { subscriptionId, stripeCustomerId: null, periodStart: period.start, periodEnd: period.end }
  const write = Effect.gen(function* () {
    yield* sql`SELECT 1 FROM accounts WHERE id = ${accountId} FOR UPDATE`
    switch (what._tag) {
      case "upgrade": {
        const paid = { amountPaid: cents.upgrade, paymentId: paymentOf(accountId, "upgrade") }
        const invoice = { id: `in_${accountId}_${period.start}_up`, reason: "update", tier: "team" } as const
        yield* mirror({ invoices: [invoiceState({ ...own, ...invoice, ...paid })] })
        break
      }
      case "pack":
        yield* sql`INSERT INTO packs ${sql.insert({
          id: `${accountId}_${what.pack}`,
          account_id: accountId,
          pack: what.pack,
          tokens: packs[what.pack].tokens,
          cents: packs[what.pack].cents,
          status: "paid",
          payment_id: paymentOf(accountId, what.pack),
          created_at: 0,
        })} ON CONFLICT (id) DO NOTHING`
        break
      case "back": {
        const amount = cents[what.of]
        const part = (of: number) => Math.floor((amount * of) / 100)
        const payment = { amount, refunded: part(what.refunded), disputed: part(what.disputed), stripeCustomerId: null }
        yield* mirror({ payments: [{ id: paymentOf(accountId, what.of), ...payment }] })
      }
    }
    yield* project(accountId)
  })
  yield* sql.withTransaction(write)
})

/** A customer whose first invoice is paid by a payment that tests know. */
const bought = Effect.gen(function* () {
  const sql = yield* SqlClient
  const { accountId, subscriptionId } = yield* customer()
  yield* sql`UPDATE invoices SET payment_id = ${paymentOf(accountId, "plan")} WHERE account_id = ${accountId}`
  return { accountId, subscriptionId }
})

const balanceOf = Effect.fn("balanceOf")(function* (accountId: CustomerId) {
  const sql = yield* SqlClient
  const limit = yield* sql.withTransaction(Balances.load(accountId))
  const entries = yield* sql<any>`
    SELECT kind, pool, period::bigint, tokens FROM ledger_entries WHERE customer_id = ${accountId} ORDER BY id`
  return {
    stands: { period: limit?.period, plan: limit?.terms.plan, packs: limit?.packs, used: limit?.used },
    replayed: replay(entries),
  }
})

layer(world, { timeout: "120 seconds", excludeTestServices: true })("what follows from Stripe", (it) => {
  it.effect("stands in the ledger: replayed, it gives the balances as they are, whatever happened", () =>
    Effect.gen(function* () {
      const histories = fc.sample(fc.array(step, { minLength: 4, maxLength: 14 }), { numRuns: 40, seed: 20_261_201 })
      for (const [run, history] of histories.entries()) {
        const one = yield* bought
        const { accountId, subscriptionId } = one
        for (const [index, what] of history.entries()) {
          const period = yield* periodOf(accountId)
          if (what._tag === "use") {
            const before = (yield* balanceOf(accountId)).stands
            const calls = [usage(accountId, `${run}-${index}`, what.tokens, before.period)]
            yield* record.pipe(Effect.provideService(UsageEvents, streamOf(`${run}-${index}`, calls)))
          } else if (what._tag === "renew") {
            yield* TestClock.setTime(period.end)
            const next = { periodStart: period.end, periodEnd: period.end + 30 * 86_400_000 }
            const invoice = invoiceState({
              id: `in_${accountId}_${period.end}`,
              subscriptionId,
              ...next,
              paymentId: null,
            })
            const sql = yield* SqlClient
            const fetched = { subscription: undefined, invoices: [invoice], payments: [] }
            yield* sql.withTransaction(Effect.andThen(Mirror.put(accountId, fetched), project(accountId)))
          } else yield* learn(one, what, period)
          const { stands, replayed } = yield* balanceOf(accountId)
          assert.deepStrictEqual<unknown>(replayed, stands, JSON.stringify(history.slice(0, index + 1)))
        }
      }
    }),
  )

  it.effect("does not depend on the order in which it was learnt, nor on how often", () =>
    Effect.gen(function* () {
      const drawn = fc.sample(
        fc.tuple(fc.uniqueArray(fact, { selector: keyOf, maxLength: 6 }), fc.infiniteStream(fc.nat())),
        {
          numRuns: 40,
          seed: 20_261_202,
        },
      )
      for (const [facts, turns] of drawn) {
        const [once, mixed] = [yield* bought, yield* bought]
        const period = yield* periodOf(once.accountId)
        for (const what of facts) yield* learn(once, what, period)
        const shuffled = [...facts, ...facts]
          .map((what) => ({ what, at: turns.next().value as number }))
          .toSorted((one, other) => one.at - other.at)
        for (const { what } of shuffled) yield* learn(mixed, what, period)
        assert.deepStrictEqual(yield* endOf(mixed), yield* endOf(once), JSON.stringify(facts))
      }
    }),
  )
})

/** Two facts about the same thing are two states of it: of these only one is the last. */
const keyOf = (what: Fact): string =>
  what._tag === "back" ? `back ${what.of}` : what._tag === "pack" ? `pack ${what.pack}` : "upgrade"

const endOf = Effect.fn("endOf")(function* ({ accountId }: Customer) {
  const sql = yield* SqlClient
  const now = yield* Clock.currentTimeMillis
  const { stands } = yield* balanceOf(accountId)
  const [allowance] = yield* sql`
    SELECT tier, plan, next_plan, packs, service_until FROM allowances WHERE customer_id = ${accountId}`
  const sums = yield* sql`
    SELECT pool, sum(tokens)::bigint AS tokens FROM ledger_entries WHERE customer_id = ${accountId} GROUP BY pool ORDER BY pool`
  const payments = yield* sql`
    SELECT amount, refunded, disputed, settled, taken FROM payments WHERE account_id = ${accountId}
    ORDER BY amount, settled, taken`
  const [agent] = yield* sql`SELECT desired ->> 'tier' AS tier FROM agents WHERE customer_id = ${accountId}`
  return { now, stands, allowance, sums, payments, agent }
})
