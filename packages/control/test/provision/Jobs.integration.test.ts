import type { AgentEvent } from "@berth/domain/AgentEvents"
import type { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { TestClock } from "effect/testing"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import { deliver } from "../../src/notify/Mails.ts"
import * as Worker from "../../src/Worker.ts"
import * as AgentRequests from "../../src/provision/AgentRequests.ts"
import { Agents } from "../../src/provision/Agents.ts"
import { AgentSecrets } from "../../src/provision/AgentSecrets.ts"
import * as AgentReports from "../../src/provision/AgentReports.ts"
import { JobOutbox } from "../../src/provision/JobOutbox.ts"
import { longestLine } from "../../src/provision/Relay.ts"
import { customer, jobsPushed, november, relayed, reported, stateOf, world } from "../billing/World.ts"

const open = Effect.fn("open")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const rows = yield* sql<{ id: string }>`
    SELECT id FROM work WHERE queue = 'jobs' AND done_at IS NULL AND payload ->> 'customerId' = ${customerId}
    ORDER BY position`
  return rows.map(({ id }) => id)
})

const common = (customerId: CustomerId, generation: number, seq: number, at = november + seq) => ({
  customerId,
  generation,
  seq,
  at,
})

const mine = (customerId: CustomerId) =>
  Effect.map(jobsPushed, (jobs) => jobs.filter((job) => job.customerId === customerId).map((job) => job.generation))

const mailed = Effect.gen(function* () {
  yield* Worker.drain({ queue: "mails", attempts: 30, longestWaitMillis: 60_000 })(deliver)
  return yield* (yield* Mailbox).mails
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("jobs and reports", (it) => {
  it.effect("a push closes nothing: an unreported job is pushed again after a minute, until it is reported", () =>
    Effect.gen(function* () {
      const { accountId, jobId } = yield* customer()
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [1])
      yield* TestClock.adjust("59 seconds")
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [])
      yield* TestClock.adjust("1 second")
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [1])
      assert.deepStrictEqual(yield* open(accountId), [jobId])
      yield* reported({ _tag: "step", step: "Namespace", ...common(accountId, 1, 1) })
      assert.deepStrictEqual(yield* open(accountId), [])
      yield* TestClock.adjust("2 minutes")
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [])
    }),
  )

  it.effect(
    "a line that nobody takes from stays within bounds, and what waits outside it is pushed once it moves",
    () =>
      Effect.gen(function* () {
        const queue = yield* JobQueue
        const { accountId, jobId } = yield* customer()
        for (let count = 0; count < longestLine; count++) yield* queue.push("{}")
        yield* relayed
        yield* TestClock.adjust("1 minute")
        yield* relayed
        assert.strictEqual((yield* queue.depth).waiting, longestLine)
        assert.deepStrictEqual(yield* open(accountId), [jobId])
        yield* jobsPushed
        yield* TestClock.adjust("1 minute")
        yield* relayed
        assert.deepStrictEqual(yield* mine(accountId), [1])
      }),
  )

  it.effect("a pushed job holds the whole desired state and every envelope", () =>
    Effect.gen(function* () {
      const { accountId, orderId } = yield* customer({ tier: "team" })
      yield* relayed
      const job = (yield* jobsPushed).find((one) => one.customerId === accountId) as any
      assert.deepInclude(job, { v: 1, id: `job:${orderId}:1`, reason: "provision", generation: 1 })
      assert.deepInclude(job.desired, { tier: "team", suspended: [] })
      assert.deepStrictEqual(job.desired.secrets, { botToken: 1, proxyToken: 1, gatewayToken: 1 })
      assert.deepStrictEqual(job.sealed.map((one: any) => one.purpose).sort(), [
        "botToken",
        "gatewayToken",
        "proxyToken",
      ])
    }),
  )

  it.effect("a new bot token goes along from the generation that asks for it, never with an older one", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const secrets = yield* AgentSecrets
      const { accountId } = yield* customer()
      yield* relayed
      yield* jobsPushed
      yield* secrets.put(accountId, "botToken", Redacted.make("123:another"))
      yield* AgentRequests.ask(accountId, "new-bot-token", "customer", "sent in the chat")
      const botTokens = Effect.map(jobsPushed, (jobs) =>
        jobs
          .filter(({ customerId }) => customerId === accountId)
          .map(({ desired, reason, sealed }: any) => [
            reason,
            desired.secrets.botToken,
            sealed.find(({ purpose }: any) => purpose === "botToken").version,
            sealed.length,
          ]),
      )
      // Something else is asked before billing comes to it.
      yield* agents.change(accountId, { _tag: "Suspend", reason: "payment" }, "test")
      yield* relayed
      assert.deepStrictEqual(yield* botTokens, [["suspend", 1, 1, 3]])
      while (yield* AgentRequests.carryOut);
      yield* relayed
      assert.deepStrictEqual(yield* botTokens, [["rotate", 2, 2, 3]])
      yield* AgentRequests.ask(accountId, "new-bot-token", "customer", "twice")
      while (yield* AgentRequests.carryOut);
      yield* relayed
      assert.deepStrictEqual(yield* botTokens, [], "the same token again changes nothing")
    }),
  )

  it.effect("a newer generation is pushed at once, though the older is unreported, and its report closes both", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const { accountId } = yield* customer()
      yield* relayed
      yield* jobsPushed
      yield* agents.change(accountId, { _tag: "Suspend", reason: "payment" }, "test")
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [2])
      assert.lengthOf(yield* open(accountId), 2)
      yield* TestClock.adjust("1 minute")
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [2], "the older row is not pushed again")
      yield* reported({ _tag: "suspended", ...common(accountId, 2, 3) })
      assert.deepStrictEqual(yield* open(accountId), [])
    }),
  )

  it.effect("word of an older generation leaves the newest job open", () =>
    Effect.gen(function* () {
      const { accountId, orderId } = yield* customer()
      yield* (yield* Agents).change(accountId, { _tag: "Suspend", reason: "payment" }, "test")
      yield* reported({ _tag: "active", ...common(accountId, 1, 3) })
      assert.deepStrictEqual(yield* open(accountId), [`job:${orderId}:2`])
    }),
  )

  it.effect("suspension blocks in the proxy at once, and a second reason outlives the first", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const sql = yield* SqlClient
      const { accountId, orderId } = yield* customer()
      const state = Effect.gen(function* () {
        const [row] = yield* sql<{ blocked: boolean; rev: number; generation: number; suspended: unknown }>`
          SELECT blocked, rev, generation, desired -> 'suspended' AS suspended
          FROM allowances JOIN agents USING (customer_id) WHERE customer_id = ${accountId}`
        return row
      })
      const change = (tag: "Suspend" | "Resume", reason: "payment" | "abuse") =>
        agents.change(accountId, { _tag: tag, reason }, "test")
      assert.strictEqual(yield* change("Suspend", "payment"), `job:${orderId}:2`)
      assert.strictEqual(yield* change("Suspend", "payment"), undefined, "asked twice, done once")
      yield* change("Suspend", "abuse")
      yield* change("Resume", "payment")
      assert.deepEqual(yield* state, { blocked: true, rev: 2, generation: 4, suspended: ["abuse"] })
      yield* change("Resume", "abuse")
      assert.deepEqual(yield* state, { blocked: false, rev: 3, generation: 5, suspended: [] })
      yield* agents.change(accountId, { _tag: "Deprovision" }, "test")
      assert.deepInclude(yield* state, { blocked: true, generation: 6 })
      assert.strictEqual(yield* change("Suspend", "abuse"), undefined, "nothing changes a leaving agent")
    }),
  )

  it.effect("reports tell the customer each step and one live message, and a replay changes nothing", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      const events: ReadonlyArray<AgentEvent> = [
        { _tag: "step", step: "Namespace", ...common(accountId, 1, 1) },
        { _tag: "step", step: "Secret", ...common(accountId, 1, 2) },
        { _tag: "active", ...common(accountId, 1, 3) },
      ]
      yield* reported(...events)
      const state = yield* stateOf(accountId)
      assert.deepStrictEqual(
        state.events.map(({ type }: any) => type),
        ["paid", "payment.received", "step", "step", "active"],
      )
      assert.deepInclude((state.events[4] as any).payload, { text: "Your agent is live! Message @" + botOf(accountId) })
      assert.deepInclude(state.agents[0], { phase: "active", reported_generation: 1, reported_seq: 3 })
      assert.deepEqual((state.agents[0] as any).steps, [
        { step: "Namespace", at: november + 1 },
        { step: "Secret", at: november + 2 },
      ])
      yield* reported(...events)
      yield* reported(...[...events].reverse())
      assert.strictEqual((yield* stateOf(accountId)).digest, state.digest)
    }),
  )

  it.effect("one mail, though the agent comes up again after restart, resync and resume", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const { accountId, orderId } = yield* customer()
      yield* reported({ _tag: "active", ...common(accountId, 1, 3) })
      yield* reported({ _tag: "resync", phase: "active", ...common(accountId, 1, 9) })
      yield* agents.change(accountId, { _tag: "Suspend", reason: "customer" }, "test")
      yield* agents.change(accountId, { _tag: "Resume", reason: "customer" }, "test")
      yield* reported({ _tag: "active", ...common(accountId, 3, 1) })
      const own = (yield* mailed).filter((mail) => mail.to === `${accountId}@example.com`)
      assert.lengthOf(own, 1)
      assert.deepInclude(own[0], {
        id: `mail:welcome:${orderId}`,
        subject: `Your agent is live! Message @${botOf(accountId)}`,
      })
      assert.include(own[0]?.text, "5,000,000 tokens a month")
    }),
  )

  it.effect("a lost `active` is made up for by the next resync", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* reported({ _tag: "resync", phase: "active", ...common(accountId, 1, 7) })
      const state = yield* stateOf(accountId)
      assert.deepInclude(state.agents[0], { phase: "active" })
      assert.deepStrictEqual(
        state.events.map(({ type }: any) => type),
        ["paid", "payment.received", "active"],
      )
    }),
  )

  it.effect("a resync with an older generation has the newest job pushed again, and so has a lost cluster", () =>
    Effect.gen(function* () {
      const agents = yield* Agents
      const { accountId } = yield* customer()
      yield* agents.change(accountId, { _tag: "Suspend", reason: "payment" }, "test")
      yield* reported({ _tag: "suspended", ...common(accountId, 2, 5) })
      yield* relayed
      yield* jobsPushed
      yield* reported({ _tag: "resync", phase: "active", ...common(accountId, 1, 6) })
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [2])
      yield* reported({
        _tag: "resync",
        phase: "suspended",
        ...common(accountId, 2, 7, yield* Clock.currentTimeMillis),
      })
      assert.deepStrictEqual(yield* open(accountId), [])

      yield* (yield* JobOutbox).allAgain
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [2])
      yield* reported({
        _tag: "resync",
        phase: "suspended",
        ...common(accountId, 2, 8, yield* Clock.currentTimeMillis),
      })

      yield* TestClock.adjust("21 minutes")
      yield* AgentReports.wakeSilent(20 * 60_000)
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [2], "an agent that no resync mentions is sent again")
    }),
  )

  it.effect("a job that was lost with the cluster, on its way there, does not wait for its minute", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [1])
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [], "not due yet")
      yield* (yield* JobOutbox).allAgain
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [1])
    }),
  )

  it.effect("what a lost cluster had still reported closes no job that is sent to the next one", () =>
    Effect.gen(function* () {
      const { accountId, jobId } = yield* customer()
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [1])
      const lostAt = yield* Clock.currentTimeMillis
      yield* TestClock.adjust("1 second")
      yield* (yield* JobOutbox).allAgain
      yield* reported({ _tag: "step", step: "Namespace", ...common(accountId, 1, 1, lostAt) })
      assert.deepStrictEqual(yield* open(accountId), [jobId])
      yield* relayed
      assert.deepStrictEqual(yield* mine(accountId), [1])
      yield* reported({ _tag: "step", step: "Secret", ...common(accountId, 1, 2, yield* Clock.currentTimeMillis) })
      assert.deepStrictEqual(yield* open(accountId), [])
    }),
  )

  it.effect("a deleted agent's rows close and are not pushed", () =>
    Effect.gen(function* () {
      const { accountId } = yield* customer()
      yield* (yield* Agents).change(accountId, { _tag: "Deprovision" }, "test")
      yield* reported({ _tag: "deleted", ...common(accountId, 2, 9) })
      yield* relayed
      assert.deepStrictEqual(yield* open(accountId), [])
      assert.deepStrictEqual(yield* mine(accountId), [])
    }),
  )
})

const botOf = (customerId: CustomerId) => `${customerId.replace("-", "_")}_bot`
