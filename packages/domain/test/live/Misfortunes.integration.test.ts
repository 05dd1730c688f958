/**
 * Traffic on a real Redis whose clock jumps by a minute and which forgets everything, across the end of a month. Owners renew
 * every 20 s as proxies do, some die, a recorder writes what it reads. No hold is leaked or given up while its owner
 * lives, no grant is doubled, and what was recorded or still stands in the stream is what the allowance counts.
 */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { holdMillis } from "../../src/Allowance/Holding.ts"
import { dayOf, monthsAfter } from "../../src/Allowance/Period.ts"
import { Allowance, type AllowanceSnapshot, type Hold } from "../../src/Allowance.ts"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import * as UsageEventsRedis from "../../src/live/UsageEventsRedis.ts"
import { startRedis } from "../../src/testing/RedisServer.ts"
import {
  anchor,
  ask,
  customer,
  firstEnd,
  hold,
  settlement,
  snapshot,
  view,
} from "../../src/testing/contracts/AllowanceFixtures.ts"
import { sourceIdOf, type UsageEvent } from "../../src/Usage.ts"
import { type StreamPlace, UsageEvents } from "../../src/UsageEvents.ts"
import { freshRedisClient } from "./FreshRedisClient.ts"

const minute = 60_000
/** Renewals come every 20 s, sweeps and everything else every 5 s. */
const tick = 5_000
const renewEvery = 4

/** The clock of Redis, by how much it is wrong. */
const wrongClock = () => {
  const clock = { offset: 0 }
  const time = Effect.map(Clock.currentTimeMillis, (now) => now + clock.offset)
  return { clock, time, layer: Layer.succeed(AllowanceRedis.ScriptTime)(time) }
}

/** Writes down each event once by its source, as Postgres does, and says what is known from that. */
const ledger = () => {
  const entries = new Map<string, UsageEvent>()
  const grants = new Map<number, UsageEvent>()
  let place: StreamPlace = { epoch: "", cursor: "0-0" }
  const charges = (counts: (event: UsageEvent) => boolean) => {
    let sum = 0
    for (const event of entries.values()) if ("charge" in event && counts(event)) sum += event.charge
    return sum
  }
  const usedIn = (period: number) => charges((event) => event.period === period)
  const record = Effect.gen(function* () {
    const stream = yield* UsageEvents
    const { epoch, events } = yield* stream.after(place, 1_000)
    for (const { event } of events) {
      entries.set(sourceIdOf(event), event)
      if (event._tag !== "period") continue
      const before = grants.get(event.period)
      // The instant aside, a period that is opened again is the same one.
      if (before !== undefined) assert.deepStrictEqual({ ...event, at: before.at }, before)
      grants.set(event.period, event)
    }
    place = { epoch, cursor: events.at(-1)?.cursor ?? place.cursor }
    yield* stream.trim(place)
  })
  const snapshotNow = (): AllowanceSnapshot => {
    const period = Math.max(0, ...grants.keys())
    const days = [...entries.values()].filter((event) => "charge" in event).map((event) => dayOf(event.at))
    const day = Math.max(0, ...days)
    return snapshot({
      period,
      periodEnd: monthsAfter(anchor, period + 1),
      used: usedIn(period),
      today: { day, used: charges((event) => dayOf(event.at) === day) },
      // A flush may lose that a period was opened, and not what settles in it.
      ahead: [{ period: period + 1, used: usedIn(period + 1), background: 0 }],
      older: Array.from({ length: period }, (_, which) => ({ period: which, used: usedIn(which), plan: 1_000 })),
      recorded: place,
    })
  }
  return { entries, usedIn, record, snapshotNow }
}

const Step = Schema.Union([
  Schema.TaggedStruct("admit", { completion: Schema.Int.check(Schema.isBetween({ minimum: 20, maximum: 200 })) }),
  Schema.TaggedStruct("settle", { tokens: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 120 })) }),
  Schema.TaggedStruct("release", {}),
  Schema.TaggedStruct("pass", {}),
  Schema.TaggedStruct("pass", {}),
  Schema.TaggedStruct("die", {}),
  Schema.TaggedStruct("jump", { by: Schema.Literals([-minute, minute]) }),
  Schema.TaggedStruct("flush", {}),
  Schema.TaggedStruct("record", {}),
])
const Steps = Schema.Array(Step).check(Schema.isMinLength(40), Schema.isMaxLength(120))

const play = Effect.fn(function* (steps: typeof Steps.Type, { clock, time }: ReturnType<typeof wrongClock>) {
  const allowance = yield* Allowance
  const redis = yield* RedisClient
  const { usedIn, record, snapshotNow } = ledger()
  yield* TestClock.setTime(firstEnd - 1.5 * minute)
  yield* allowance.rebuild(snapshotNow())
  yield* TestClock.adjust("30 seconds")

  /** What the store knows, by when it expires there. */
  const kept = new Map<Hold, number>()
  const living = new Set<Hold>()
  let names = 0
  let ticks = 0
  let jumped = false

  const keep = Effect.fnUntraced(function* (one: Hold) {
    kept.set(one, (yield* time) + holdMillis)
  })
  const end = (one: Hold) => {
    living.delete(one)
    kept.delete(one)
  }
  const pass = Effect.gen(function* () {
    yield* TestClock.adjust(tick)
    ticks++
    if (ticks % renewEvery === 0) {
      yield* allowance.renew([...living])
      for (const one of living) yield* keep(one)
      jumped = false
    }
    const now = yield* time
    const expired = [...kept].flatMap(([one, expiresAt]) => (expiresAt <= now ? [one] : []))
    for (const one of expired) assert.isFalse(living.has(one), "given up though its owner renews it")
    assert.strictEqual(yield* allowance.sweep, expired.length)
    for (const one of expired) end(one)
  })

  for (const step of steps) {
    switch (step._tag) {
      case "admit": {
        const admission = yield* allowance.admit(ask(`r${names++}`, { completion: step.completion }))
        if (admission._tag !== "Admitted") break
        assert.isAtLeast(admission.remaining, 0)
        living.add(admission.hold)
        yield* keep(admission.hold)
        break
      }
      case "settle": {
        for (const one of living) {
          assert.strictEqual(yield* allowance.settle(settlement(one, step.tokens)), "settled")
          end(one)
          break
        }
        break
      }
      case "release": {
        for (const one of living) {
          yield* allowance.release(one)
          end(one)
          break
        }
        break
      }
      case "die": {
        for (const one of living) {
          living.delete(one)
          break
        }
        break
      }
      case "pass": {
        yield* pass
        break
      }
      case "jump": {
        if (jumped || Math.abs(clock.offset + step.by) > minute) break
        clock.offset += step.by
        jumped = true
        break
      }
      case "flush": {
        yield* redis.call("flush", (one) => one.flushdb())
        kept.clear()
        assert.strictEqual(yield* allowance.rebuild(snapshotNow()), "rebuilt")
        break
      }
      case "record": {
        yield* record
        break
      }
    }
    const { held, limit } = yield* view
    let sum = 0
    for (const { ask } of kept.keys()) sum += ask
    assert.deepStrictEqual({ held, limit }, { held: sum, limit: 1_000 })
  }

  for (const one of living) {
    yield* allowance.settle(settlement(one, 1))
    end(one)
  }
  for (let left = 48; left > 0; left--) yield* pass
  yield* record
  const after = yield* view
  assert.deepInclude(after, { held: 0, heldBackground: 0, used: usedIn(after.period) })
  const left = yield* redis.call("left", (one) => Promise.all([one.exists(`holds:{${customer}}`), one.zcard("holds")]))
  assert.deepStrictEqual(left, [0, 0])
})

layer(freshRedisClient)("a Redis whose clock jumps and which forgets", (it) => {
  it.effect.prop(
    "leaks no hold, gives up none that is renewed, and grants each month once",
    { steps: Steps },
    ({ steps }) => {
      const clock = wrongClock()
      const empty = Layer.effectDiscard(RedisClient.use((redis) => redis.call("empty", (one) => one.flushdb())))
      const stores = Layer.merge(AllowanceRedis.layer, UsageEventsRedis.layer).pipe(Layer.provide([empty, clock.layer]))
      return play(steps, clock).pipe(Effect.provide(Layer.fresh(stores)), Effect.provide(TestClock.layer()))
    },
    { timeout: 120_000, arbitrary: { runs: 60, size: 120 } },
  )
})

describe("a Redis that is killed in the midst of open holds", () => {
  it.effect("has none of them left when all have ended, and the month that it opened is granted once", () => {
    const clock = wrongClock()
    return Effect.gen(function* () {
      const server = yield* startRedis({ appendonly: true })
      const stores = Layer.merge(AllowanceRedis.layer, UsageEventsRedis.layer).pipe(
        Layer.provideMerge(RedisClient.layerOf(Redacted.make(server.url))),
        Layer.provide(clock.layer),
      )
      yield* TestClock.setTime(firstEnd - minute)
      yield* Effect.gen(function* () {
        const allowance = yield* Allowance
        const ready = RedisClient.use((redis) =>
          redis.readySince.pipe(
            Effect.filterOrFail((since) => since !== undefined),
            Effect.retry(Schedule.spaced("20 millis")),
            Effect.timeout("5 seconds"),
            TestClock.withLive,
          ),
        )
        const { entries, record } = ledger()
        yield* allowance.rebuild(snapshot())
        const old = yield* Effect.forEach(["a", "b", "c"], (one) => hold(one))
        yield* TestClock.adjust(minute)
        const young = yield* Effect.forEach(["d", "e", "f"], (one) => hold(one))
        assert.deepStrictEqual(
          young.map((one) => one.period),
          [1, 1, 1],
        )
        yield* server.kill
        yield* server.start
        yield* ready
        // Back before the end of the month by its own clock.
        clock.clock.offset = -minute
        yield* allowance.renew([...old, ...young])
        assert.deepInclude(yield* view, { period: 1, held: 600 })
        yield* Effect.forEach([...old, ...young], (one) => allowance.settle(settlement(one, 10)))
        yield* hold("g")
        clock.clock.offset = 0
        yield* TestClock.adjust("3 minutes")
        assert.strictEqual(yield* allowance.sweep, 1)
        assert.deepInclude(yield* view, { period: 1, held: 0, used: 30, limit: 1_000 })
        yield* record
        const tags = [...entries.values()].map((event) => event._tag)
        assert.deepStrictEqual(tags, ["period", "usage", "usage", "usage", "usage", "usage", "usage", "lost"])
      }).pipe(Effect.provide(Layer.fresh(stores)))
    })
  })
})
