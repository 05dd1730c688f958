import { Allowance } from "@berth/domain/Allowance"
import { StoreUnavailable } from "@berth/domain/Errors"
import { CustomerId } from "@berth/domain/Ids"
import { Switches } from "@berth/domain/Switches"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { SqlClient } from "effect/sql/SqlClient"
import * as AllowanceSync from "../../src/billing/AllowanceSync.ts"
import * as SwitchSync from "../../src/billing/SwitchSync.ts"
import * as Stops from "../../src/ops/Stops.ts"
import { admission, customer, november, world } from "../billing/World.ts"

let asking = 0

/** Asks for a call and gives its hold back; how it was decided. */
const asked = Effect.fn("asked")(function* (customerId: CustomerId, model = "kimi-k2.6") {
  const allowance = yield* Allowance
  const one = yield* admission(customerId, String(asking++), { model, prompt: 10, completion: 10, floor: 10 })
  if (one._tag === "Admitted") yield* allowance.release(one.hold)
  return one._tag === "Stopped" ? one.what : one._tag
})

const inRedis = Switches.use(({ all }) => Effect.map(all, (stopped) => Object.fromEntries(stopped)))

const audits = SqlClient.use(
  (sql) => sql<{ line: string }>`
    SELECT actor || ' ' || action || ' ' || subject || ' ' || (detail ->> 'reason') AS line
    FROM audit WHERE action LIKE 'switch.%' ORDER BY id`,
).pipe(Effect.map((rows) => rows.map(({ line }) => line)))

layer(world, { timeout: "60 seconds", excludeTestServices: true })("what ops stop", (it) => {
  it.effect("is refused at once: one customer, one model, everything; and goes on when it is let", () =>
    Effect.gen(function* () {
      const ann = (yield* customer()).accountId
      const bob = (yield* customer()).accountId
      yield* AllowanceSync.heal
      assert.strictEqual(yield* asked(ann), "Admitted")

      assert.strictEqual(yield* Stops.stop(`customer:${ann}`, "a loop", "eve"), "told")
      assert.strictEqual(yield* asked(ann), "customer")
      assert.strictEqual(yield* asked(bob), "Admitted")
      yield* Stops.stop("model:kimi-k2.6", "quality", "eve")
      assert.strictEqual(yield* asked(bob), "model")
      assert.strictEqual(yield* asked(bob, "kimi-k2.7-code"), "Admitted")
      yield* Stops.stop("all", "a leaked key", "eve")
      assert.strictEqual(yield* asked(bob, "kimi-k2.7-code"), "all")

      assert.deepStrictEqual(
        (yield* Stops.all).map(({ name, reason, actor, at }) => ({ name, reason, actor, at })),
        [
          { name: "all", reason: "a leaked key", actor: "eve", at: november },
          { name: `customer:${ann}`, reason: "a loop", actor: "eve", at: november },
          { name: "model:kimi-k2.6", reason: "quality", actor: "eve", at: november },
        ],
      )
      for (const name of ["all", "model:kimi-k2.6", `customer:${ann}`] as const)
        assert.strictEqual(yield* Stops.resume(name, "eve"), "told")
      assert.isUndefined(yield* Stops.resume("all", "eve"), "it was not stopped any more")
      assert.strictEqual(yield* asked(ann), "Admitted")
      assert.deepStrictEqual(yield* audits, [
        `eve switch.stop customer:${ann} a loop`,
        "eve switch.stop model:kimi-k2.6 quality",
        "eve switch.stop all a leaked key",
        "eve switch.resume all a leaked key",
        "eve switch.resume model:kimi-k2.6 quality",
        `eve switch.resume customer:${ann} a loop`,
      ])
    }),
  )

  it.effect("holds though Redis was away when it was said, and though Redis forgets it", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* AllowanceSync.heal
      const away = Effect.fail(new StoreUnavailable({ store: "redis", operation: "Switches", cause: "away" }))
      const told = yield* Stops.stop(`customer:${accountId}`, "a loop", "eve").pipe(
        Effect.provideService(Switches, Switches.of({ stop: () => away, resume: () => away, all: away })),
      )
      assert.strictEqual(told, "waiting")
      assert.strictEqual(yield* asked(accountId), "Admitted", "nobody has told Redis")
      assert.isTrue(yield* SwitchSync.sync)
      assert.strictEqual(yield* asked(accountId), "customer")
      assert.isFalse(yield* SwitchSync.sync, "nothing is left to put right")

      yield* (yield* Switches).resume(`customer:${accountId}`)
      yield* Effect.all([SwitchSync.sync, SwitchSync.sync], { concurrency: 2 })
      assert.strictEqual(yield* asked(accountId), "customer")
      yield* Stops.resume(`customer:${accountId}`, "eve")
    }),
  )

  it.effect("is let go on in Redis too, whoever had put it there", () =>
    Effect.gen(function* () {
      yield* (yield* Switches).stop("model:kimi-k2.6", "nobody knows why")
      yield* SwitchSync.sync
      assert.deepStrictEqual(yield* inRedis, {})
    }),
  )

  it.effect("is said with its line in the audit, or not at all", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      yield* sql`ALTER TABLE audit RENAME TO away`
      const exit = yield* Effect.exit(Stops.stop("all", "a test", "eve"))
      yield* sql`ALTER TABLE away RENAME TO audit`
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* Stops.all, [])
      assert.deepStrictEqual(yield* inRedis, {})
    }),
  )

  it.effect("must be somebody", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Stops.known(CustomerId.make("nobody")))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(Exit.isFailure(exit) ? exit.cause : ""), "There is no customer nobody.")
    }),
  )
})

describe("switches to put right", () => {
  it("are those that differ, in either direction, and no others", () => {
    const wanted = new Map([
      ["all", "a"],
      ["model:x", "b"],
    ] as const)
    const found = new Map([
      ["all", "a"],
      ["model:x", "old"],
      ["customer:ann", "c"],
    ] as const)
    assert.deepStrictEqual(SwitchSync.decide(wanted, found), { stop: [["model:x", "b"]], resume: ["customer:ann"] })
    assert.deepStrictEqual(SwitchSync.decide(wanted, wanted), { stop: [], resume: [] })
  })
})
