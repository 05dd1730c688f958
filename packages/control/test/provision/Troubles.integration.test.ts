/** What a customer hears of an agent in trouble: in the stream, by mail, and in what the api shows. */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import { deliver } from "../../src/notify/Mails.ts"
import * as Worker from "../../src/Worker.ts"
import { customer, november, reported, stateOf, world } from "../billing/World.ts"

const common = (customerId: CustomerId, seq: number) => ({ customerId, generation: 1, seq, at: november + seq })
const rejected = {
  condition: "BotToken",
  reason: "BotTokenRejected",
  message: "Telegram rejects your bot's token.",
  needsOwner: true,
}
const troubled = (customerId: CustomerId, seq: number, more: object = {}): AgentEvent => ({
  _tag: "troubled",
  ...rejected,
  ...more,
  ...common(customerId, seq),
})
const recovered = (customerId: CustomerId, seq: number): AgentEvent => ({
  _tag: "recovered",
  condition: "BotToken",
  reason: "BotTokenRejected",
  message: "Telegram accepts your bot's token.",
  ...common(customerId, seq),
})

const troublesOf = Effect.fn("troublesOf")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const [row] = yield* sql<{ readonly troubles: ReadonlyArray<{ readonly reason: string; readonly since: number }> }>`
    SELECT troubles FROM agents WHERE customer_id = ${customerId}`
  return row?.troubles.map(({ reason, since }) => [reason, since - november])
})

const told = (customerId: CustomerId) =>
  Effect.map(stateOf(customerId), ({ events }) =>
    events.map(({ type }: any) => type as string).filter((type: string) => !type.startsWith("pa")),
  )

const mailsTo = Effect.fn("mailsTo")(function* (customerId: CustomerId) {
  yield* Worker.drain({ queue: "mails", attempts: 30, longestWaitMillis: 60_000 })(deliver)
  const mails = yield* (yield* Mailbox).mails
  return mails.filter(({ id, to }) => to === `${customerId}@example.com` && id.startsWith("mail:trouble:"))
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("an agent in trouble", (it) => {
  it.effect("is told of once, with a mail, however often the report comes, and so is its end", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* reported({ _tag: "active", ...common(accountId, 1) }, troubled(accountId, 2), troubled(accountId, 2))
      assert.deepStrictEqual(yield* troublesOf(accountId), [["BotTokenRejected", 2]])
      yield* reported(
        { _tag: "resync", phase: "active", troubles: [rejected], ...common(accountId, 3) },
        troubled(accountId, 2),
      )
      assert.deepStrictEqual(yield* troublesOf(accountId), [["BotTokenRejected", 2]])
      const [mail, ...more] = yield* mailsTo(accountId)
      assert.deepStrictEqual(more, [])
      assert.include(mail?.text, "Telegram rejects your bot's token.")
      yield* reported(recovered(accountId, 4), recovered(accountId, 4))
      assert.deepStrictEqual(yield* troublesOf(accountId), [])
      assert.deepStrictEqual(yield* told(accountId), ["active", "troubled", "recovered"])
    }),
  )

  it.effect("that comes and goes all day makes one mail a day for each trouble", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* reported({ _tag: "active", ...common(accountId, 1) })
      for (let seq = 2; seq < 8; seq += 2) yield* reported(troubled(accountId, seq), recovered(accountId, seq + 1))
      const disk = { condition: "Disk", reason: "DiskFull", message: "Tidy up." }
      yield* reported(troubled(accountId, 8, disk))
      assert.lengthOf(yield* mailsTo(accountId), 2)
      yield* TestClock.adjust("1 day")
      yield* reported(troubled(accountId, 9))
      assert.lengthOf(yield* mailsTo(accountId), 3)
    }),
  )

  it.effect("that only we can mend makes no mail", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const ours = {
        condition: "Telegram",
        reason: "TelegramNotConnected",
        message: "It tries again.",
        needsOwner: false,
      }
      yield* reported({ _tag: "active", ...common(accountId, 1) }, troubled(accountId, 2, ours))
      assert.deepStrictEqual(yield* told(accountId), ["active", "troubled"])
      assert.deepStrictEqual(yield* mailsTo(accountId), [])
    }),
  )

  it.effect("whose report was lost with Redis is told of by the next resync", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* reported({ _tag: "active", ...common(accountId, 1) })
      yield* reported({ _tag: "resync", phase: "active", troubles: [rejected], ...common(accountId, 5) })
      assert.deepStrictEqual(yield* told(accountId), ["active", "troubled"])
      assert.lengthOf(yield* mailsTo(accountId), 1)
      yield* reported({ _tag: "suspended", ...common(accountId, 6) })
      assert.deepStrictEqual(yield* troublesOf(accountId), [])
    }),
  )
})
