/**
 * kill -9 of proxies, recorders, Redis and Postgres at random while customers call, and power cuts of a Redis that syncs once
 * a second: each call that the upstream answered is in the ledger once, at what the upstream counted by itself, or died with
 * its proxy at no charge. `npm run chaos` does the same for as long as one likes.
 */
import { tmpdir } from "node:os"
import { join } from "node:path"
import { runVariable } from "@berth/domain/testing/TestFolder"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Options, run } from "../../../../scripts/chaos/Run.ts"

/** Fails on any violation; by target, how often it was killed. */
const survive = Effect.fnUntraced(function* (options: Pick<Options, "seconds" | "seed" | "durability">) {
  const parent = process.env[runVariable] ?? join(tmpdir(), "berth")
  const report = yield* run({ ...options, patient: false, parent, say: () => {} })
  assert.deepStrictEqual(report.violations, [])
  const calls = report.accounts.reduce((sum, { charged }) => sum + charged.calls, 0)
  assert.isAbove(calls, 50, "and there was something to lose")
  assert.isAbove(
    Object.values(report.kills).reduce((sum, times) => sum + times, 0),
    3,
  )
  return report
})

describe("kill -9 of whatever meters", () => {
  it.live(
    "loses nothing but what its own proxy had under way, and charges nothing twice",
    // In 13 seconds this seed kills both proxies, a recorder and Postgres, and Redis twice: once without its last writes,
    // once without its disk.
    () => survive({ seconds: 13, seed: 2_081, durability: "everysec" }),
    180_000,
  )

  it.live(
    "loses nothing that a Redis which syncs always has acknowledged, so that nothing is told it again",
    () =>
      Effect.gen(function* () {
        // In 7 seconds this seed kills Redis twice, both proxies and a recorder.
        const { restored, kills } = yield* survive({ seconds: 7, seed: 20_731, durability: "always" })
        assert.isAbove(kills["redis"] ?? 0, 1)
        assert.strictEqual(restored, 0)
      }),
    180_000,
  )
})
