/** Another token for the token-proxy, and a restart: from the wish to the end of the old token, on a real Postgres. */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import * as AgentRequests from "../../src/provision/AgentRequests.ts"
import { Agents } from "../../src/provision/Agents.ts"
import { customer, jobsPushed, november, relayed, reported, world } from "../billing/World.ts"

const common = (customerId: CustomerId, generation: number, seq: number) => ({
  customerId,
  generation,
  seq,
  at: november + seq,
})
const active = (customerId: CustomerId, generation: number, seq: number): AgentEvent => ({
  _tag: "active",
  ...common(customerId, generation, seq),
})

/** Hashes of the live tokens, the oldest first, and how often the proxies were told anything. */
const tokensOf = Effect.fn(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const live = yield* sql<{ readonly hash: string }>`
    SELECT hash FROM proxy_tokens WHERE customer_id = ${customerId} AND state = 'live' ORDER BY created_at`
  const [told] = yield* sql<{ readonly rev: number; readonly tokens: ReadonlyArray<string> }>`
    SELECT a.rev, w.payload -> 'terms' -> 'tokens' AS tokens
    FROM allowances a JOIN work w ON w.id = 'allowance:' || a.customer_id || ':' || a.rev
    WHERE a.customer_id = ${customerId}`
  return { live: live.map(({ hash }) => hash), told: [...(told?.tokens ?? [])].sort(), rev: told?.rev }
})

const newestJob = Effect.fn(function* (customerId: CustomerId) {
  yield* relayed
  return (yield* jobsPushed).filter((job) => job.customerId === customerId).at(-1) as any
})

layer(world, { excludeTestServices: true, timeout: 120_000 })("another token for the token-proxy", (it) => {
  it.effect("is live at once beside the old one, which ends only when the agent is told to run with the new one", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* reported(active(accountId, 1, 1))
      const before = yield* tokensOf(accountId)
      assert.lengthOf(before.live, 1)
      yield* AgentRequests.ask(accountId, "rotate-token", "ops:eva", "it was seen in a screenshot")
      while (yield* AgentRequests.carryOut);

      const during = yield* tokensOf(accountId)
      assert.lengthOf(during.live, 2)
      assert.strictEqual(during.live[0], before.live[0])
      assert.deepStrictEqual(during.told, [...during.live].sort(), "the proxies are told of both")
      const job = yield* newestJob(accountId)
      assert.deepInclude(job, { reason: "rotate", generation: 2 })
      assert.strictEqual(job.desired.secrets.proxyToken, 2)
      assert.strictEqual(job.sealed.find((one: any) => one.purpose === "proxyToken").version, 2)

      for (const event of [
        active(accountId, 1, 2),
        { _tag: "resync", phase: "active", ...common(accountId, 1, 3) },
        { _tag: "resync", phase: "updating", ...common(accountId, 2, 4) },
        { _tag: "step", step: "Secret", ...common(accountId, 2, 5) },
      ] satisfies ReadonlyArray<AgentEvent>) {
        yield* reported(event)
        assert.deepStrictEqual((yield* tokensOf(accountId)).live, during.live, event._tag)
      }

      yield* reported(active(accountId, 2, 6))
      const after = yield* tokensOf(accountId)
      assert.deepStrictEqual(after.live, [during.live[1]])
      assert.deepStrictEqual(after.told, after.live)
      yield* reported(active(accountId, 2, 6), active(accountId, 2, 6))
      assert.deepStrictEqual(yield* tokensOf(accountId), after, "a replay changes nothing")
    }),
  )

  it.effect("asked for again before the first is in use leaves the agent none that is dead", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const { accountId } = yield* customer()
      yield* reported(active(accountId, 1, 1))
      yield* agents.rotateToken(accountId, "ops")
      yield* agents.rotateToken(accountId, "ops")
      const during = yield* tokensOf(accountId)
      assert.lengthOf(during.live, 3)
      yield* reported(active(accountId, 2, 2))
      assert.deepStrictEqual((yield* tokensOf(accountId)).live, during.live, "it runs with the second of three")
      yield* reported({ _tag: "resync", phase: "active", ...common(accountId, 3, 3) })
      assert.deepStrictEqual((yield* tokensOf(accountId)).live, during.live.slice(-1), "a resync says what got lost")
    }),
  )

  it.effect("of an agent that does not run is its only one, and one that is leaving gets none", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const { accountId } = yield* customer()
      yield* agents.change(accountId, { _tag: "Suspend", reason: "security" }, "ops")
      yield* agents.rotateToken(accountId, "ops")
      yield* reported({ _tag: "suspended", ...common(accountId, 3, 1) })
      const { live } = yield* tokensOf(accountId)
      assert.lengthOf(live, 1)
      yield* agents.change(accountId, { _tag: "Deprovision" }, "ops")
      assert.strictEqual(yield* agents.rotateToken(accountId, "ops"), undefined)
      assert.deepStrictEqual((yield* tokensOf(accountId)).live, live)
    }),
  )

  it.effect("and a restart are each one new generation, however often a request is carried out", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* TestClock.adjust("1 second")
      yield* AgentRequests.ask(accountId, "restart", "ops:eva", "it hangs")
      yield* Effect.all([AgentRequests.carryOut, AgentRequests.carryOut], { concurrency: 2 })
      const restart = yield* newestJob(accountId)
      assert.deepInclude(restart, { reason: "restart", generation: 2 })
      assert.isNumber(restart.desired.restartedAt)
      yield* AgentRequests.ask(accountId, "rotate-token", "ops:eva", "to be sure")
      yield* Effect.all([AgentRequests.carryOut, AgentRequests.carryOut], { concurrency: 2 })
      const rotated = yield* newestJob(accountId)
      assert.deepInclude(rotated, { reason: "rotate", generation: 3 })
      assert.strictEqual(rotated.desired.restartedAt, restart.desired.restartedAt)
      assert.lengthOf((yield* tokensOf(accountId)).live, 2)
    }),
  )
})
