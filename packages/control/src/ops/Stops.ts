/**
 * What ops stop and let go on. Invariant: a switch and its line in the audit are one commit in Postgres, which is the truth;
 * Redis, which the proxies obey, hears of it right after, and from billing within a second if it does not now.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { Refused } from "@berth/domain/Launch"
import { type SwitchName, Switches } from "@berth/domain/Switches"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { SqlClient } from "effect/sql/SqlClient"
import { Audit } from "../billing/Audit.ts"

export interface Stop {
  readonly name: SwitchName
  readonly reason: string
  readonly actor: string
  /** Epoch ms. */
  readonly at: number
}

/** `told`: the proxies obey it already. `waiting`: billing tells them, as soon as Redis can be reached. */
export type Carried = "told" | "waiting"

const carry = Effect.fn("Stops.carry")(function* (name: SwitchName, reason: string | undefined) {
  const switches = Option.getOrUndefined(yield* Effect.serviceOption(Switches))
  if (switches === undefined) return "waiting"
  const change = reason === undefined ? switches.resume(name) : switches.stop(name, reason)
  return yield* Effect.match(change, { onSuccess: (): Carried => "told", onFailure: (): Carried => "waiting" })
})

/** Whoever is stopped must be somebody: a mistyped id would stop nobody and look as if it did. */
export const known = Effect.fn("Stops.known")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const rows = yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId}`
  if (rows.length === 0) return yield* new Refused({ message: `There is no customer ${customerId}.` })
  return customerId
})

/** Once more only changes the reason. */
export const stop = Effect.fn("Stops.stop")(function* (name: SwitchName, reason: string, actor: string) {
  const sql = yield* SqlClient
  const audit = yield* Audit
  const at = yield* Clock.currentTimeMillis
  yield* sql.withTransaction(
    Effect.gen(function* () {
      yield* sql`
        INSERT INTO switches (name, reason, actor, at) VALUES (${name}, ${reason}, ${actor}, ${at})
        ON CONFLICT (name) DO UPDATE SET reason = excluded.reason, actor = excluded.actor, at = excluded.at`
      yield* audit.write(actor, "switch.stop", name, { reason })
    }),
  )
  return yield* carry(name, reason)
})

/** Undefined if it was not stopped; Redis is told all the same. */
export const resume = Effect.fn("Stops.resume")(function* (name: SwitchName, actor: string) {
  const sql = yield* SqlClient
  const audit = yield* Audit
  const wasStopped = yield* sql.withTransaction(
    Effect.gen(function* () {
      const rows = yield* sql<{ readonly reason: string }>`DELETE FROM switches WHERE name = ${name} RETURNING reason`
      for (const { reason } of rows) yield* audit.write(actor, "switch.resume", name, { reason })
      return rows.length > 0
    }),
  )
  const carried = yield* carry(name, undefined)
  return wasStopped ? carried : undefined
})

/** What is stopped, the latest first. */
export const all = SqlClient.use(
  (sql) => sql<Stop>`SELECT name, reason, actor, at FROM switches ORDER BY at DESC, name`,
).pipe(Effect.withSpan("Stops.all"))
