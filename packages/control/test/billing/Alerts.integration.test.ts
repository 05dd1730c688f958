import type { CustomerId } from "@berth/domain/Ids"
import type { UsageEvent } from "@berth/domain/Usage"
import { UsageEvents } from "@berth/domain/UsageEvents"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { record } from "../../src/billing/Recorder.ts"
import { CustomerEvents } from "../../src/notify/CustomerEvents.ts"
import * as Mails from "../../src/notify/Mails.ts"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import * as Worker from "../../src/Worker.ts"
import { streamOf, usage } from "./Stream.ts"
import { customer, november, world } from "./World.ts"

const december = Date.UTC(2026, 11, 24, 12)
const million = 1_000_000

let epochs = 0
/** Books what Redis would tell, in one batch. */
const booked = Effect.fn("booked")((...events: ReadonlyArray<UsageEvent>) =>
  Effect.provideService(record, UsageEvents, streamOf(`alerts-${epochs++}`, events)),
)

const exhausted = (customerId: CustomerId, used: number, limit: number, period = 0) =>
  ({ _tag: "exhausted", customerId, at: november, period, used, limit }) as const

/** The customer's alerts as "percent of limit", oldest first. */
const alerts = Effect.fn("alerts")(function* (customerId: CustomerId) {
  const events = yield* (yield* CustomerEvents).after(customerId, 0)
  return events.flatMap((event) => (event._tag === "usage.alert" ? [`${event.percent} of ${event.limit}`] : []))
})

/** Newest first. */
const mailsTo = Effect.fn("mailsTo")(function* (customerId: CustomerId) {
  while (yield* Worker.drain({ queue: "mails", attempts: 1, longestWaitMillis: 1 })(Mails.deliver));
  const { mails } = yield* Mailbox
  return (yield* mails).filter(({ to }) => to === `${customerId}@example.com`)
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("alerts at 50, 80 and 100 percent", (it) => {
  it.effect("come with the usage that passes the mark, as an event and a mail, each once", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* booked(usage(accountId, "a", 2 * million))
      assert.deepStrictEqual(yield* alerts(accountId), [])
      yield* booked(usage(accountId, "b", million / 2))
      yield* booked(usage(accountId, "c", 10), usage(accountId, "b", million / 2))
      assert.deepStrictEqual(yield* alerts(accountId), ["50 of 5000000"])
      const [mail, ...more] = yield* mailsTo(accountId)
      assert.deepStrictEqual(more, [])
      assert.strictEqual(mail?.subject, "Half of this month's tokens are used.")
      assert.include(mail?.text, "2,500,000 of 5,000,000 tokens")
      assert.include(mail?.text, "December 24, 2026")
    }),
  )

  it.effect("two recorders at once tell once", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const events = Array.from({ length: 1_200 }, (_, index) => usage(accountId, `r${index}`, 3_600))
      const all = Effect.gen(function* () {
        while (yield* record);
      }).pipe(Effect.provideService(UsageEvents, streamOf("two-at-once", events)))
      yield* Effect.all([all, all, all], { concurrency: "unbounded" })
      // 4,320,000 of 5,000,000, in batches of 500: 36, 72 and 86 percent.
      assert.deepStrictEqual(yield* alerts(accountId), ["50 of 5000000", "80 of 5000000"])
      assert.strictEqual((yield* mailsTo(accountId)).length, 2)
    }),
  )

  it.effect("a batch that passes two marks tells the higher one alone", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* booked(usage(accountId, "a", 3 * million), usage(accountId, "b", 1.2 * million))
      assert.deepStrictEqual(yield* alerts(accountId), ["80 of 5000000"])
    }),
  )

  it.effect("a pack bought after 80 percent is told of anew, at its own limit", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* booked(usage(accountId, "a", 4 * million))
      yield* sql`UPDATE allowances SET packs = ${5 * million} WHERE customer_id = ${accountId}`
      yield* booked(usage(accountId, "b", 0.9 * million))
      assert.deepStrictEqual(yield* alerts(accountId), ["80 of 5000000"])
      yield* booked(usage(accountId, "c", 0.2 * million))
      yield* booked(usage(accountId, "d", 3 * million))
      assert.deepStrictEqual(yield* alerts(accountId), ["80 of 5000000", "50 of 10000000", "80 of 10000000"])
    }),
  )

  it.effect("a new period counts from nothing", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const opened = {
        _tag: "period",
        customerId: accountId,
        at: december,
        period: 1,
        startsAt: december,
        endsAt: Date.UTC(2027, 0, 24, 12),
        plan: 5 * million,
      } as const
      yield* booked(usage(accountId, "a", 2.6 * million))
      // What crosses 80 percent of a period that ends in the same batch is told of no more.
      yield* booked(usage(accountId, "b", 1.5 * million), opened, usage(accountId, "c", 10, 1))
      assert.deepStrictEqual(yield* alerts(accountId), ["50 of 5000000"])
      yield* booked(usage(accountId, "d", 2.6 * million, 1))
      assert.deepStrictEqual(yield* alerts(accountId), ["50 of 5000000", "50 of 5000000"])
      const mails = yield* mailsTo(accountId)
      assert.include(mails[0]?.text, "January 24, 2027")
    }),
  )

  it.effect("100 percent is told at the first refusal, and not again when the rest is used", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* booked(usage(accountId, "a", 4.99 * million))
      yield* booked(exhausted(accountId, 4.99 * million, 5 * million))
      yield* booked(exhausted(accountId, 4.99 * million, 5 * million), usage(accountId, "b", 20_000))
      assert.deepStrictEqual(yield* alerts(accountId), ["80 of 5000000", "100 of 5000000"])
      const mails = yield* mailsTo(accountId)
      assert.include(mails[0]?.text, "4,990,000 of 5,000,000 tokens")
      assert.include(mails[0]?.text, "Your agent answers again on December 24, 2026")
      const sql = yield* SqlClient
      const entries = yield* sql`SELECT kind FROM ledger_entries WHERE customer_id = ${accountId} ORDER BY id`
      assert.deepEqual(entries, [{ kind: "grant" }, { kind: "usage" }, { kind: "usage" }], "a refusal is no entry")
    }),
  )

  it.effect("100 percent is told when the last token is used, though nothing was refused yet", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* booked(usage(accountId, "a", 5 * million))
      assert.deepStrictEqual(yield* alerts(accountId), ["100 of 5000000"])
    }),
  )

  it.effect("Berth's own account is told nothing", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* sql`UPDATE accounts SET kind = 'internal' WHERE id = ${accountId}`
      yield* booked(usage(accountId, "a", 5 * million), exhausted(accountId, 5 * million, 5 * million))
      assert.deepStrictEqual(yield* alerts(accountId), [])
      assert.deepStrictEqual(yield* mailsTo(accountId), [])
    }),
  )

  it.effect("a customer without an address gets the event alone", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId } = yield* customer()
      yield* sql`UPDATE accounts SET email = NULL WHERE id = ${accountId}`
      yield* booked(usage(accountId, "a", 4 * million))
      assert.deepStrictEqual(yield* alerts(accountId), ["80 of 5000000"])
      assert.deepStrictEqual(yield* mailsTo(accountId), [])
    }),
  )
})
