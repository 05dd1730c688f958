/** The troubles that come from what is asked of the cluster, not from what an agent shows: each comes, in words, and goes. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { AgentStatus } from "../src/Agent.ts"
import { Cluster, Refused } from "../src/Cluster.ts"
import * as Operator from "../src/Operator.ts"
import { type Reason, troubles } from "../src/Troubles.ts"
import { ada, agentOf, operating, pushJob, reaches, reported, until, world } from "./World.ts"

const statusOf = Effect.map(agentOf(ada), (agent) => Option.getOrUndefined(agent)?.status as AgentStatus | undefined)
const conditionOf = (status: AgentStatus | undefined, type: string) =>
  status?.conditions.find((one) => one.type === type)

/** Waits until the Agent says that it is not well for this reason. */
const ails = (reason: Reason) =>
  until(
    `an agent that suffers from ${reason}`,
    Effect.map(statusOf, (status) =>
      conditionOf(status, "Ready")?.reason === reason ? Option.fromUndefinedOr(status) : Option.none(),
    ),
  )

/** What was told since the last call, but for how it came to be set up. */
const told = Effect.map(reported, (events) =>
  events.flatMap((event) => (event._tag === "step" || event._tag === "resync" ? [] : [event])),
)

const standing = (kind: "Pod" | "Deployment") =>
  Cluster.use((cluster) => Effect.map(cluster.list(kind), ({ items }) => items.map(({ metadata }) => metadata.uid)))

describe("the record of an agent that is lost", () => {
  it.effect("is told as missing credentials, stops nothing, and is over with the same job sent again", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* pushJob()
      yield* reaches(ada, "active")
      const pods = yield* standing("Pod")
      yield* reported
      yield* cluster.remove({ kind: "Secret", namespace: "berth-agents", name: "agent-ada" })

      const missing = yield* ails("SecretsMissing")
      const { message } = troubles.SecretsMissing
      assert.strictEqual(missing.phase, "failed")
      assert.deepInclude(conditionOf(missing, "Ready"), { status: "False", message })
      const [failed, ...more] = yield* told
      assert.deepInclude(failed, { _tag: "failed", reason: "SecretsMissing", message, retriable: true })
      assert.deepStrictEqual(more, [])
      assert.deepStrictEqual(yield* standing("Pod"), pods)

      yield* pushJob()
      assert.deepInclude(conditionOf((yield* reaches(ada, "active")).status as AgentStatus, "Ready"), {
        status: "True",
        reason: "Running",
      })
      assert.deepStrictEqual(
        (yield* told).map(({ _tag }) => _tag),
        ["active"],
      )
      assert.deepStrictEqual(yield* standing("Pod"), pods)
    }).pipe(Effect.provide(operating())),
  )
})

describe("a part of an agent that the cluster refuses", () => {
  const refusing = (
    kind: string,
    error: "Invalid" | "Quota",
    body: (repair: () => void) => Effect.Effect<void, any, any>,
  ) =>
    Effect.gen(function* () {
      const real = yield* Cluster
      let isRefused = true
      const refuses = Context.make(Cluster, {
        ...real,
        apply: (manifest, options) =>
          isRefused && manifest.kind === kind
            ? Effect.fail(new Refused({ object: manifest.metadata.name, reason: error, message: "10.0.0.1 says no" }))
            : real.apply(manifest, options),
      })
      yield* Effect.forkScoped(Layer.launch(Operator.layer).pipe(Effect.provideContext(refuses)))
      yield* pushJob()
      yield* body(() => {
        isRefused = false
      })
    }).pipe(Effect.scoped, Effect.provide(world())) as Effect.Effect<void>

  it.effect("is named in the customer's words, lets nothing run unfenced, and is over when it is taken", () =>
    refusing("NetworkPolicy", "Invalid", (repair) =>
      Effect.gen(function* () {
        const refused = yield* ails("Refused")
        assert.strictEqual(refused.phase, "failed")
        const [failed, ...more] = yield* told
        const message = troubles.Refused.message.replace("your agent", "your agent (NetworkPolicy)")
        assert.deepInclude(failed, { _tag: "failed", reason: "Refused", message })
        assert.deepStrictEqual(more, [])
        assert.deepInclude(conditionOf(refused, "Ready"), { status: "False", message })
        assert.notInclude(JSON.stringify(refused), "10.0.0.1")
        assert.deepStrictEqual(yield* standing("Deployment"), [])

        repair()
        const repairedAt = yield* Clock.currentTimeMillis
        const { status } = yield* reaches(ada, "active")
        assert.isBelow((yield* Clock.currentTimeMillis) - repairedAt, 60_000, "long before the next resync")
        assert.deepInclude(conditionOf(status as AgentStatus, "Ready"), { status: "True" })
        assert.strictEqual((yield* told).at(-1)?._tag, "active")
      }),
    ),
  )

  it.effect("for a quota is told as the quota's, and so is its end", () =>
    refusing("PersistentVolumeClaim", "Quota", (repair) =>
      Effect.gen(function* () {
        const { message } = troubles.QuotaTooSmall
        const refused = yield* ails("QuotaTooSmall")
        assert.deepInclude(conditionOf(refused, "Quota"), { status: "False", reason: "QuotaTooSmall", message })
        assert.deepInclude((yield* told).at(-1), { _tag: "failed", reason: "QuotaTooSmall", message, retriable: true })

        repair()
        const { status } = yield* reaches(ada, "active")
        assert.deepInclude(conditionOf(status as AgentStatus, "Quota"), { status: "True", reason: "Well" })
      }),
    ),
  )
})

describe("a volume that its provisioner cannot delete", () => {
  it.effect("is told once while it stands, and the deletion ends when it is gone", () =>
    Effect.gen(function* () {
      const real = yield* Cluster
      let isStuck = true
      const stuck = Context.make(Cluster, {
        ...real,
        // It takes the order, fails at it and says so.
        merge: (ref, patch) =>
          real.merge(ref, ref.kind === "PersistentVolume" && isStuck ? { status: { phase: "Failed" } } : patch),
      })
      yield* Effect.forkScoped(Layer.launch(Operator.layer).pipe(Effect.provideContext(stuck)))
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* reported
      yield* pushJob({
        generation: 2,
        reason: "deprovision",
        desired: { deletion: { confirmedGeneration: 2, exportWaived: true } },
      })

      const { message } = troubles.EraseFailed
      const failing = yield* ails("EraseFailed")
      assert.strictEqual(failing.phase, "deprovisioning")
      assert.deepInclude(conditionOf(failing, "Ready"), { status: "False", message })
      const before = yield* told
      assert.deepInclude(before.at(-1), { _tag: "troubled", condition: "Ready", reason: "EraseFailed", message })

      isStuck = false
      yield* until(
        "the Agent gone",
        Effect.map(agentOf(ada), (found) => (Option.isNone(found) ? Option.some(true) : Option.none())),
      )
      assert.deepStrictEqual(
        [...before, ...(yield* told)].map(({ _tag }) => _tag),
        ["deprovisioning", "troubled", "deleted"],
      )
      assert.deepStrictEqual((yield* real.list("PersistentVolume")).items, [])
    }).pipe(Effect.scoped, Effect.provide(world())),
  )
})
