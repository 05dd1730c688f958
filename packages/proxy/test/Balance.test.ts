/** What operators hear of our account at the upstream, and when. */
import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as References from "effect/References"
import { TestClock } from "effect/testing"
import * as Balance from "../src/Balance.ts"
import * as BalanceWatch from "../src/BalanceWatch.ts"
import { BalanceUnknown, Kimi } from "../src/Kimi.ts"
import * as Metrics from "../src/Metrics.ts"
import { Settings } from "../src/Settings.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const minute = 60_000

/** Reads a balance each minute; what there was to tell, by minute. */
const told = (balances: ReadonlyArray<number>, floor = 20) => {
  const news: Array<readonly [minute: number, news: Balance.Outlook["news"]]> = []
  let account = Balance.unread
  let hoursLeft = 0
  for (const [index, balance] of balances.entries()) {
    const outlook = Balance.read(account, { at: index * minute, balance }, floor)
    account = outlook.account
    hoursLeft = outlook.hoursLeft
    if (outlook.news !== undefined) news.push([index, outlook.news])
  }
  return { news, hoursLeft, readings: account.readings.length }
}
const falling = (from: number, by: number, minutes: number) =>
  Array.from({ length: minutes }, (_, index) => from - index * by)

describe("our account at the upstream", () => {
  it("is told of when it falls below the floor, once an hour while it stays there, and when it is filled again", () => {
    const news = told([
      ...Array.from({ length: 10 }, () => 21),
      ...Array.from({ length: 100 }, () => 19.5),
      24,
      26,
    ]).news
    assert.deepStrictEqual(news, [
      [10, "low"],
      [70, "low"],
      [111, "recovered"],
    ])
  })

  it("is told of half a day before it is spent, however much is on it", () => {
    // 100 an hour of 1,300: twelve hours are left after one of watching.
    const { news, hoursLeft } = told(falling(1_300, 100 / 60, 70))
    assert.deepStrictEqual(news, [[61, "low"]])
    assert.isTrue(hoursLeft > 11.5 && hoursLeft < 12)
    assert.deepStrictEqual(told(falling(2_000, 100 / 60, 70)).news, [])
  })

  it("is not told of by a rate that was watched for minutes only, nor is a top-up taken for earnings", () => {
    assert.deepStrictEqual(told(falling(100, 1, 9)).news, [])
    const { hoursLeft } = told([...falling(100, 1, 30), ...falling(500, 1, 30)])
    assert.isTrue(hoursLeft > 7 && hoursLeft < 9)
  })

  it("keeps the readings of an hour, and says a year where nothing is spent", () => {
    const { readings, hoursLeft } = told(Array.from({ length: 500 }, () => 50))
    assert.strictEqual(readings, 61)
    assert.strictEqual(hoursLeft, 24 * 365)
  })
})

describe("the watch on it", () => {
  const account = { now: 100 as number | undefined }
  const kimi = Layer.succeed(Kimi)({
    dispatch: () => {},
    balance: Effect.suspend(() =>
      account.now === undefined ? Effect.fail(new BalanceUnknown()) : Effect.succeed(account.now),
    ),
  })
  const lines: Array<{ readonly level: string; readonly message: unknown; readonly alert: unknown }> = []
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    lines.push({ level: logLevel, message, alert: fiber.getRef(References.CurrentLogAnnotations)["alert"] })
  })

  it.effect("reads it again and again, alerts once, goes on when it cannot be read, and says when all is well", () =>
    Effect.gen(function* () {
      const failures = Effect.map(Metric.value(Metrics.kimiPollFailures), (state) => Number(state.count))
      const low = Effect.map(Metric.value(Metrics.kimiBalanceLow), (state) => state.value)
      const before = yield* failures
      const watch = yield* Effect.forkChild(Layer.launch(BalanceWatch.layer))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Metric.value(Metrics.kimiBalance)).value, 100)
      assert.strictEqual(yield* low, 0)
      account.now = 12
      yield* TestClock.adjust("3 minutes")
      assert.strictEqual(yield* low, 1)
      account.now = undefined
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* failures) - before, 2)
      assert.strictEqual((yield* Metric.value(Metrics.kimiBalance)).value, 12)
      account.now = 300
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* low, 0)
      assert.deepStrictEqual(
        lines.map(({ level, alert }) => [level, alert]),
        [
          ["Error", "kimi-balance"],
          ["Info", undefined],
        ],
      )
      yield* Fiber.interrupt(watch)
    }).pipe(Effect.provide([kimi, Settings.layerOf({ balanceFloor: 20 }), Logger.layer([logger])])),
  )

  it.live("asks Kimi by our key, and its failures do not touch traffic, not even when every place is taken", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        settings: { balancePoll: Duration.millis(20), upstreamSlots: 1 },
      })
      while (world.stub.account.asked < 3) yield* Effect.sleep(5)
      assert.strictEqual((yield* Metric.value(Metrics.kimiBalance)).value, 100)
      world.stub.account.balance = undefined
      const asked = world.stub.account.asked
      while (world.stub.account.asked < asked + 3) yield* Effect.sleep(5)
      const answers = yield* Effect.all(
        Array.from({ length: 5 }, () => World.chat(world, alice.token)),
        { concurrency: "unbounded" },
      )
      assert.deepStrictEqual(
        answers.map((one) => one.status),
        [200, 200, 200, 200, 200],
      )
    }),
  )
})

describe("an upstream that refuses us", () => {
  it.live("is told of once in a while, not at each request, with the name of its alert", () => {
    const alerts: Array<unknown> = []
    const logger = Logger.make(({ fiber, logLevel }) => {
      if (logLevel === "Error") alerts.push(fiber.getRef(References.CurrentLogAnnotations)["alert"])
    })
    return Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({
        customers: [alice],
        behaviour: Stub.failing(429, "exceeded_current_quota_error", "org-1 <ak-2>"),
      })
      for (let index = 0; index < 20; index++) yield* World.chat(world, alice.token)
      assert.strictEqual(world.stub.received.length, 20)
      assert.deepStrictEqual(alerts, ["kimi-refuses-us"])
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
