import type { AllowanceView } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import { CustomerId } from "@berth/domain/Ids"
import type { UsageDay } from "@berth/domain/UsageDays"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import * as UsageAnswer from "../src/UsageAnswer.ts"

const alice = CustomerId.make("alice")

const view = (some: Partial<AllowanceView> = {}): AllowanceView => ({
  rev: 1,
  terms: {
    tier: "pro",
    plan: 5_000,
    nextPlan: 5_000,
    anchor: 0,
    serviceUntil: 0,
    paused: false,
    blocked: false,
    dailyCap: 900,
    backgroundCap: 1_000,
    tokens: [],
  },
  period: 3,
  periodEnd: Date.UTC(2026, 11, 24),
  packs: 0,
  used: 700,
  held: 40,
  background: 300,
  heldBackground: 20,
  today: { day: Date.UTC(2026, 10, 24) / 86_400_000, used: 250 },
  limit: 5_000,
  ...some,
})

const row = (some: Partial<UsageDay>): UsageDay => ({
  period: 3,
  day: Date.UTC(2026, 10, 24) / 86_400_000,
  model: "kimi-k2.6",
  background: false,
  prompt: 100,
  cached: 10,
  completion: 5,
  charged: 50,
  requests: 1,
  ...some,
})

/** A source that answers with this history, and counts how often it was asked for which customer and period. */
const sourceOf = (history: (customerId: CustomerId) => ReturnType<AllowanceSource["Service"]["usage"]>) => {
  const asked: Array<string> = []
  const source = AllowanceSource.of({
    snapshot: () => Effect.die("not asked for"),
    customerOf: () => Effect.die("not asked for"),
    customers: Effect.die("not asked for"),
    usage: (customerId, period) =>
      Effect.suspend(() => {
        asked.push(`${customerId} ${period}`)
        return history(customerId)
      }),
  })
  return { asked, make: Effect.provideService(UsageAnswer.make, AllowanceSource, source) }
}

const away = Effect.fail(new StoreUnavailable({ store: "postgres", operation: "usage", cause: "away" }))

describe("GET /v1/usage", () => {
  it.effect("tells the balance, today and background apart, and the period by model and by day", () =>
    Effect.gen(function* () {
      const rows = [
        row({ day: Date.UTC(2026, 10, 23) / 86_400_000, charged: 400, background: true }),
        row({}),
        row({ model: "kimi-k2.7-code", charged: 10, requests: 2 }),
      ]
      const answer = yield* sourceOf(() => Effect.succeed(rows)).make
      const sums = { prompt: 100, cached: 10, completion: 5 }
      assert.deepStrictEqual(yield* answer(alice, view()), {
        object: "usage",
        tier: "pro",
        used: 700,
        held: 40,
        limit: 5_000,
        remaining: 4_260,
        resets_at: "2026-12-24T00:00:00.000Z",
        today: { used: 250, cap: 900, resets_at: "2026-11-25T00:00:00.000Z" },
        background: { used: 300, held: 20, cap: 1_000 },
        paused: false,
        suspended: false,
        by_model: [
          { model: "kimi-k2.6", prompt: 200, cached: 20, completion: 10, charged: 450, background: 400, requests: 2 },
          { model: "kimi-k2.7-code", ...sums, charged: 10, background: 0, requests: 2 },
        ],
        by_day: [
          { day: "2026-11-23", ...sums, charged: 400, background: 400, requests: 1 },
          { day: "2026-11-24", prompt: 200, cached: 20, completion: 10, charged: 60, background: 0, requests: 3 },
        ],
      })
    }),
  )

  it.effect("asks Postgres once in five seconds, for each customer and period by itself", () =>
    Effect.gen(function* () {
      const { asked, make } = sourceOf((id) => Effect.succeed(id === alice ? [row({})] : []))
      const answer = yield* make
      const first = yield* answer(alice, view())
      assert.deepStrictEqual(yield* answer(alice, view()), first)
      assert.deepStrictEqual((yield* answer(CustomerId.make("bob"), view())).by_model, [])
      yield* answer(alice, view({ period: 4 }))
      assert.deepStrictEqual(asked, ["alice 3", "bob 3", "alice 4"])
      yield* TestClock.adjust("6 seconds")
      yield* answer(alice, view())
      assert.strictEqual(asked.length, 4)
    }),
  )

  it.effect("answers without a history while Postgres is away, and with one soon after it is back", () =>
    Effect.gen(function* () {
      let isAway = true
      const { asked, make } = sourceOf(() => (isAway ? away : Effect.succeed([row({})])))
      const answer = yield* make
      for (let times = 0; times < 3; times++)
        assert.deepInclude(yield* answer(alice, view()), { used: 700, by_model: null, by_day: null })
      assert.strictEqual(asked.length, 1, "an unreachable store is not asked at every call")
      isAway = false
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* answer(alice, view())).by_day?.length, 1)
    }),
  )

  it.effect("does not wait longer than a second for a Postgres that does not answer", () =>
    Effect.gen(function* () {
      const answer = yield* sourceOf(() => Effect.never).make
      const waiting = yield* Effect.forkChild(answer(alice, view()))
      yield* TestClock.adjust("1 second")
      assert.deepInclude(yield* Fiber.join(waiting), { remaining: 4_260, by_model: null })
    }),
  )
})
