/**
 * Keeps the switches in Redis as Postgres has them, so that a Redis that lost them stops again what ops have stopped within
 * a second. Safe when two run: each only ever moves Redis towards what stands in Postgres.
 */
import { type Stopped, type SwitchName, Switches } from "@berth/domain/Switches"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"

/** What is to be done for `found` to become `wanted`. Pure. */
export const decide = (wanted: Stopped, found: Stopped) => ({
  stop: [...wanted].filter(([name, reason]) => found.get(name) !== reason),
  resume: [...found.keys()].filter((name) => !wanted.has(name)),
})

/** Whether anything had to be put right. */
export const sync = Effect.gen(function* () {
  const sql = yield* SqlClient
  const switches = yield* Switches
  // Redis first: what is written to it was committed before, so a switch seen here and not there has been taken back.
  const found = yield* switches.all
  const rows = yield* sql<{ readonly name: SwitchName; readonly reason: string }>`SELECT name, reason FROM switches`
  const { stop, resume } = decide(new Map(rows.map(({ name, reason }) => [name, reason])), found)
  yield* Effect.forEach(stop, ([name, reason]) => switches.stop(name, reason), { discard: true })
  yield* Effect.forEach(resume, (name) => switches.resume(name), { discard: true })
  if (stop.length + resume.length === 0) return false
  yield* Effect.logWarning("Switches in Redis are put right", { stop: stop.map(([name]) => name), resume })
  return true
}).pipe(Effect.withSpan("SwitchSync.sync"))
