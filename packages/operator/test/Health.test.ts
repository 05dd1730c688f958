import type { AgentEvent } from "@berth/domain/AgentEvents"
import { AgentInspection } from "@berth/domain/AgentInspection"
import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { AgentStatus } from "../src/Agent.ts"
import type { Verdict } from "../src/BotTokens.ts"
import { Cluster } from "../src/Cluster.ts"
import type { PodAnswer, PodRequest } from "../src/Cluster/Node.ts"
import type { PodProcess } from "../src/Cluster/Pods.ts"
import * as Inspect from "../src/Inspect.ts"
import { ada, agentOf, operating, pass, pushJob, reaches, reported, secretValues, until, Writes } from "./World.ts"

const gib = 2 ** 30
/** The pro tier's volume. */
const capacity = 10 * gib

/** A pod's process whose answers and use of its volume the test decides. */
const scripted = () => {
  const asked: Array<PodRequest> = []
  const script: { answer: (request: PodRequest, run: number) => PodAnswer; used: number | undefined } = {
    answer: () => ({ status: 200, body: '{"ready":true}' }),
    used: undefined,
  }
  let runs = 0
  const process: PodProcess = (_, node) =>
    Effect.gen(function* () {
      const run = ++runs
      node.log(`started with ${secretValues.botToken} and ${secretValues.gatewayToken}`)
      node.serve((request) => {
        asked.push(request)
        return script.answer(request, run)
      })
      // As a node does: it measures now and then.
      yield* Effect.sync(() => {
        if (script.used !== undefined) node.use(script.used)
      }).pipe(Effect.andThen(Effect.sleep("1 second")), Effect.forever, Effect.forkScoped)
    })
  return { asked, script, process }
}

/** As OpenClaw does: only who bears the gateway's token is told what fails. */
const failing =
  (...what: ReadonlyArray<string>) =>
  ({ bearer }: PodRequest): PodAnswer => ({
    status: 503,
    body: JSON.stringify({ ready: false, ...(bearer === secretValues.gatewayToken ? { failing: what } : {}) }),
  })
const ready = (): PodAnswer => ({ status: 200, body: '{"ready":true}' })

const statusOf = Effect.map(agentOf(ada), (found) => Option.getOrThrow(found).status as AgentStatus | undefined)
const condition = (type: string) =>
  Effect.map(statusOf, (status) => status?.conditions.find((one) => one.type === type))

const becomes = (type: string, status: "True" | "False", reason?: string) =>
  until(
    `${type} ${status} ${reason ?? ""}`,
    Effect.map(condition(type), (one) =>
      one?.status === status && (reason === undefined || one.reason === reason) ? Option.some(one) : Option.none(),
    ),
  )

const newsOf = (events: ReadonlyArray<AgentEvent>) =>
  events.flatMap((event) =>
    event._tag === "troubled" || event._tag === "recovered" ? [`${event._tag} ${event.reason}`] : [],
  )

describe("an agent that runs is asked how it does", () => {
  it.effect("and is left in peace, without any secret, while it is well", () => {
    const { asked, process } = scripted()
    return Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* reported
      const { log } = yield* Writes
      yield* pass(20)
      const before = log.length
      yield* pass(280)
      assert.deepStrictEqual(log.slice(before), [], "nothing is written of what did not change")
      assert.isTrue(asked.every(({ path, bearer }) => path === "/readyz" && bearer === undefined))
      assert.isAtLeast(asked.length, 12)
      // Every 5 s for a minute, then once a minute.
      assert.isAtMost(asked.length, 24)
      assert.deepStrictEqual(newsOf(yield* reported), [])
    }).pipe(Effect.provide(operating({ process })))
  })

  it.effect(
    "of a token that Telegram rejects its owner hears once, while it stays active, and again when it is well",
    () => {
      const { script, process } = scripted()
      const telegram: { says: Verdict } = { says: "rejected" }
      script.answer = failing("telegram")
      return Effect.gen(function* () {
        yield* pushJob()
        yield* reaches(ada, "active")
        const fallen = yield* becomes("BotToken", "False", "BotTokenRejected")
        assert.match(fallen.message, /BotFather/)
        yield* pass(400)
        assert.strictEqual((yield* statusOf)?.phase, "active")
        const events = yield* reported
        assert.deepStrictEqual(newsOf(events), ["troubled BotTokenRejected"], "not repeated")
        const resyncs = events.filter((event) => event._tag === "resync")
        assert.deepStrictEqual(
          resyncs.at(-1)?.troubles?.map(({ reason }) => reason),
          ["BotTokenRejected"],
        )
        script.answer = ready
        yield* becomes("BotToken", "True")
        assert.deepStrictEqual(newsOf(yield* reported), ["recovered BotTokenRejected"])
        assert.notInclude(JSON.stringify(events), secretValues.botToken)
      }).pipe(Effect.provide(operating({ process, verdict: () => telegram.says })))
    },
  )

  it.effect(
    "a channel that is down is no rejected token: nobody is accused, and only after two minutes is it told",
    () => {
      const { script, process } = scripted()
      const telegram: { says: Verdict } = { says: "unknown" }
      return Effect.gen(function* () {
        yield* pushJob()
        yield* reaches(ada, "active")
        script.answer = failing("telegram")
        yield* pass(100)
        assert.deepStrictEqual([yield* condition("BotToken"), yield* condition("Telegram")], [undefined, undefined])
        yield* becomes("Telegram", "False", "TelegramNotConnected")
        telegram.says = "accepted"
        yield* pass(60)
        assert.isUndefined(yield* condition("BotToken"))
        script.answer = ready
        yield* becomes("Telegram", "True")
        assert.deepStrictEqual(newsOf(yield* reported), [
          "troubled TelegramNotConnected",
          "recovered TelegramNotConnected",
        ])
      }).pipe(Effect.provide(operating({ process, verdict: () => telegram.says })))
    },
  )

  it.effect("whatever else comes back says nothing", () => {
    const { script, process } = scripted()
    const odd: ReadonlyArray<PodAnswer> = [
      { status: 503, body: '{"ready":false}' },
      { status: 503, body: "" },
      { status: 200, body: "<html>" },
      { status: 302, body: '{"ready":true}' },
      { status: 200, body: '{"ready":false}' },
      { status: 503, body: '{"ready":true,"failing":["telegram"]}' },
      { status: 503, body: '{"ready":false,"failing":["startup-sidecars","telegram"]}' },
      { status: 503, body: '{"ready":false,"failing":["draining"]}' },
      { status: 503, body: '{"ready":false,"failing":"telegram"}' },
    ]
    let turn = 0
    script.answer = () => odd[turn++ % odd.length] ?? ready()
    return Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* pass(200)
      assert.isAtLeast(turn, 2 * odd.length)
      assert.deepStrictEqual(newsOf(yield* reported), [])
    }).pipe(Effect.provide(operating({ process, verdict: () => "rejected" })))
  })

  it.effect("one whose database is refused is told so", () => {
    const { script, process } = scripted()
    script.answer = failing("agent-database:main")
    return Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* becomes("Data", "False", "DatabaseRefused")
    }).pipe(Effect.provide(operating({ process })))
  })

  it.effect("and its node how full its volume is", () => {
    const { script, process } = scripted()
    script.used = 0.5 * capacity
    return Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* pass(60)
      assert.isUndefined(yield* condition("Disk"))
      script.used = 0.9 * capacity
      yield* becomes("Disk", "False", "DiskNearlyFull")
      script.used = 0.99 * capacity
      yield* becomes("Disk", "False", "DiskFull")
      script.used = 0.1 * capacity
      yield* becomes("Disk", "True")
      assert.deepStrictEqual(newsOf(yield* reported), [
        "troubled DiskNearlyFull",
        "troubled DiskFull",
        "recovered DiskFull",
      ])
    }).pipe(Effect.provide(operating({ process })))
  })

  it.effect("a new pod is judged anew", () => {
    const { script, process } = scripted()
    const telegram: { says: Verdict } = { says: "rejected" }
    script.answer = (request, run) => (run === 1 ? failing("telegram")(request) : ready())
    return Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* becomes("BotToken", "False")
      yield* pushJob({ generation: 2, reason: "restart", desired: { restartedAt: 1 } })
      yield* reaches(ada, "active", 2)
      yield* becomes("BotToken", "True")
      const news = (yield* reported).map(({ _tag }) => _tag).filter((tag) => tag !== "step" && tag !== "resync")
      assert.deepStrictEqual(news, ["active", "troubled", "active", "recovered"])
    }).pipe(Effect.provide(operating({ process, verdict: () => telegram.says })))
  })
})

describe("a look at one agent", () => {
  const inspecting = (options: Parameters<typeof operating>[0]) =>
    Inspect.layer.pipe(Layer.provideMerge(operating(options)))

  it.effect("tells how it does, and what it wrote, without its secrets", () => {
    const { script, process } = scripted()
    script.used = 0.25 * capacity
    return Effect.gen(function* () {
      const inspection = yield* AgentInspection
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* pass(3)
      const health = yield* inspection.health(ada)
      assert.deepInclude(health, { customerId: ada, phase: "active", generation: 1, answers: true })
      assert.deepStrictEqual(health.disk, { used: 0.25 * capacity, capacity })
      assert.deepInclude(health.process, { restarts: 0, lastEnd: null })
      assert.deepInclude(health.conditions[0], { type: "Ready", status: "True" })
      const { lines } = yield* inspection.logs(ada, { tail: 10, previous: false })
      assert.strictEqual(lines.at(-1)?.text, "started with [secret] and [secret]")
      assert.isNumber(lines.at(-1)?.at)
      script.answer = failing("telegram")
      assert.isFalse((yield* inspection.health(ada)).answers)
      script.answer = () => ({ status: 500, body: "" })
      assert.isNull((yield* inspection.health(ada)).answers)
    }).pipe(Effect.provide(inspecting({ process })))
  })

  it.effect("shows no log whose secrets it can't know", () => {
    const { process } = scripted()
    return Effect.gen(function* () {
      const inspection = yield* AgentInspection
      const cluster = yield* Cluster
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* cluster.remove({ kind: "Secret", namespace: "berth-agents", name: "agent-ada" })
      const refused = yield* Effect.flip(inspection.logs(ada, { tail: 10, previous: false }))
      assert.strictEqual(refused._tag, "InspectionUnavailable")
    }).pipe(Effect.provide(inspecting({ process })))
  })

  it.effect("knows no other agents, and says plainly when there is no log", () => {
    const { process } = scripted()
    return Effect.gen(function* () {
      const inspection = yield* AgentInspection
      const stranger = CustomerId.make("nobody")
      assert.strictEqual((yield* Effect.flip(inspection.health(stranger)))._tag, "AgentUnknown")
      assert.strictEqual(
        (yield* Effect.flip(inspection.logs(stranger, { tail: 1, previous: false })))._tag,
        "AgentUnknown",
      )
      yield* pushJob()
      yield* reaches(ada, "active")
      const before = yield* Effect.flip(inspection.logs(ada, { tail: 1, previous: true }))
      assert.strictEqual(before._tag, "NoLogs")
      yield* pushJob({ generation: 2, reason: "suspend", desired: { suspended: ["customer"] } })
      yield* reaches(ada, "suspended", 2)
      assert.strictEqual((yield* Effect.flip(inspection.logs(ada, { tail: 1, previous: false })))._tag, "NoLogs")
      assert.deepInclude(yield* inspection.health(ada), {
        phase: "suspended",
        process: null,
        answers: null,
        disk: null,
      })
    }).pipe(Effect.provide(inspecting({ process })))
  })
})
