/** What looking at agents costs the API server, and who has to wait for whom. */
import { assert, describe, it } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import { Cluster, type ApplyError, Refused } from "../src/Cluster.ts"
import type { KindName } from "../src/Kinds.ts"
import { at, nameOf } from "../src/Manifest.ts"
import * as Metrics from "../src/Metrics.ts"
import * as Operator from "../src/Operator.ts"
import { Reconciler } from "../src/Reconciler.ts"
import {
  ada,
  agentOf,
  operating,
  pass,
  pushJob,
  reaches,
  reported,
  until,
  world,
  type WorldOptions,
  Writes,
} from "./World.ts"

const inside = (kind: string, name = "openclaw") => ({ kind, namespace: "customer-ada", name })

const changeByHand = (kind: string, name: string) =>
  Cluster.use((cluster) =>
    cluster.apply(
      {
        apiVersion: "networking.k8s.io/v1",
        kind,
        metadata: { name, namespace: "customer-ada" },
        spec: { egress: [{}] },
      },
      { manager: "kubectl" },
    ),
  )

/** The cluster, and what is read of it by that way. */
const countingReads = Effect.map(Cluster, (real) => {
  const reads: Array<string> = []
  const counting = Cluster.of({
    ...real,
    get: (ref) =>
      Effect.suspend(() => {
        reads.push(nameOf(ref))
        return real.get(ref)
      }),
    list: (kind, selector) =>
      Effect.suspend(() => {
        reads.push(`all ${kind}`)
        return real.list(kind, selector)
      }),
  })
  return { counting, reads }
})

describe("a look at an unchanged agent", () => {
  it.effect("reads three objects at a resync, two at any other time, and writes none", () =>
    Effect.gen(function* () {
      const { counting, reads } = yield* countingReads
      yield* Effect.gen(function* () {
        yield* pushJob()
        yield* reaches(ada, "active")
        yield* pass(20)
        const { log } = yield* Writes
        const written = log.length
        const during = <R>(what: Effect.Effect<void, never, R>) =>
          Effect.gen(function* () {
            reads.length = 0
            yield* what
            return reads.filter((one) => one !== "CustomResourceDefinition agents.berth.dev")
          })
        const reconciler = yield* Reconciler
        assert.deepStrictEqual((yield* during(Effect.andThen(reconciler.look(ada), pass(1)))).sort(), [
          "Agent ada",
          "Secret berth-agents/agent-ada",
        ])
        assert.deepStrictEqual((yield* during(pass(380))).sort(), [
          "Agent ada",
          "Secret berth-agents/agent-ada",
          "Secret customer-ada/openclaw",
          "all Secret",
        ])
        assert.deepStrictEqual(log.slice(written), [])
      }).pipe(Effect.provide(Layer.provide(Operator.layer, Layer.succeed(Cluster)(counting))))
    }).pipe(Effect.scoped, Effect.provide(world())),
  )

  it.effect("that is on its way reads nothing, and still sees what somebody writes into its Agent", () =>
    Effect.gen(function* () {
      const real = yield* Cluster
      const { counting, reads } = yield* countingReads
      yield* Effect.gen(function* () {
        yield* pushJob()
        yield* reaches(ada, "provisioning")
        yield* pass(5)
        reads.length = 0
        yield* real.merge(inside("Pod", String((yield* real.list("Pod")).items[0]?.metadata.name)), {
          status: { phase: "Pending", message: "news of the pod" },
        })
        yield* pass(3)
        assert.notInclude(reads, "Agent ada")
        yield* real.merge({ kind: "Agent", name: ada }, { spec: { tier: "team" } })
        yield* pass(3)
        const agent = Option.getOrThrow(yield* agentOf(ada))
        assert.strictEqual(at(agent, "spec", "tier"), "pro")
      }).pipe(Effect.provide(Layer.provide(Operator.layer, Layer.succeed(Cluster)(counting))))
    }).pipe(Effect.scoped, Effect.provide(world({ startAfter: "1 minute" }))),
  )

  it.effect("by a new leader reads each object once and writes none", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* Layer.build(Operator.layer)
          yield* reaches(ada, "active")
          yield* pass(1)
        }),
      )
      const { log } = yield* Writes
      const written = log.length
      yield* Layer.build(Layer.fresh(Operator.layer))
      yield* pass(30)
      assert.deepStrictEqual(log.slice(written), [])
    }).pipe(Effect.scoped, Effect.provide(world())),
  )
})

const countOf = (found_by: string, kind: string) =>
  Effect.map(Metric.value(Metric.withAttributes(Metrics.driftRepaired, { found_by, kind })), ({ count }) =>
    Number(count),
  )

describe("what was put back", () => {
  it.effect("is counted by how it was found: told by a watch, or only seen by a resync", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const [watched, secrets] = [yield* countOf("watch", "NetworkPolicy"), yield* countOf("resync", "Secret")]
      yield* changeByHand("NetworkPolicy", "openclaw")
      const cluster = yield* Cluster
      yield* cluster.merge(inside("Secret"), { data: { PROXY_TOKEN: null } })
      yield* pass(400)
      assert.strictEqual(yield* countOf("watch", "NetworkPolicy"), watched + 1)
      assert.strictEqual(yield* countOf("resync", "Secret"), secrets + 1)
    }).pipe(Effect.provide(operating())),
  )

  it.effect("is told as Kubernetes Events, on the Agent and on the object", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* changeByHand("NetworkPolicy", "openclaw")
      yield* pass(3)
      const cluster = yield* Cluster
      const events = (yield* cluster.list("Event")).items.map(
        (event) =>
          `${event.metadata.namespace}: ${String(at(event, "involvedObject", "kind"))} ${String(at(event, "involvedObject", "name"))} ${String(event.reason)}`,
      )
      assert.sameMembers(events, [
        "default: Agent ada Active",
        "default: Agent ada DriftRepaired",
        "customer-ada: NetworkPolicy openclaw DriftRepaired",
      ])
    }).pipe(Effect.provide(operating({ namespaces: ["platform", "berth-agents", "default"] }))),
  )
})

const ids = (count: number, name: string) =>
  Array.from({ length: count }, (_, one) => CustomerId.make(`${name}-${one}`))

describe("a flood of 300 deletions", () => {
  it.effect(
    "does not keep a paid customer waiting",
    () =>
      Effect.gen(function* () {
        const real = yield* Cluster
        // As long as a real API server takes when it has much to do.
        const slowly = <A, E>(effect: Effect.Effect<A, E>) => Effect.andThen(Effect.sleep("20 millis"), effect)
        const slow = Cluster.of({
          ...real,
          get: (ref) => slowly(real.get(ref)),
          list: (kind, selector) => slowly(real.list(kind, selector)),
          apply: (manifest, options) => slowly(real.apply(manifest, options)),
          merge: (ref, patch) => slowly(real.merge(ref, patch)),
          remove: (ref, options) => slowly(real.remove(ref, options)),
          patchStatus: (name, status, place) => slowly(real.patchStatus(name, status, place)),
        })
        yield* Effect.gen(function* () {
          const leaving = ids(300, "leaving")
          for (const customerId of leaving)
            yield* pushJob({
              customerId,
              generation: 2,
              reason: "deprovision",
              desired: { deletion: { confirmedGeneration: 2 } },
            })
          yield* pushJob()
          const began = yield* Clock.currentTimeMillis
          yield* until(
            "the paid agent's Deployment",
            Effect.map(real.get(inside("Deployment")), (found) => found),
          )
          assert.isBelow((yield* Clock.currentTimeMillis) - began, 2_000)
          const gone = yield* Effect.forEach(leaving, (one) => agentOf(one))
          assert.isAbove(gone.filter(Option.isSome).length, 0, "the flood is still being worked on")
        }).pipe(Effect.provide(Layer.provide(Operator.layer, Layer.succeed(Cluster)(slow))))
      }).pipe(Effect.scoped, Effect.provide(world())),
    60_000,
  )
})

/** A world with an operator that starts no more agents at once. */
const startingAtMost = (most: number, options: WorldOptions) =>
  Operator.layer.pipe(
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ MAX_STARTS: String(most) }))),
    Layer.provideMerge(world(options)),
  )

describe("namespaces of deleted agents", () => {
  it.effect(
    "go a few at a time, until none is left",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const leaving = ids(20, "leaving")
        for (const customerId of leaving) yield* pushJob({ customerId })
        for (const customerId of leaving) yield* reaches(customerId, "active")
        for (const customerId of leaving)
          yield* pushJob({
            customerId,
            generation: 2,
            reason: "deprovision",
            desired: { deletion: { confirmedGeneration: 2, exportWaived: true } },
          })
        let most = 0
        yield* until(
          "all of them gone",
          Effect.gen(function* () {
            const { items } = yield* cluster.list("Namespace", { labels: { "berth.dev/customer": "" } })
            most = Math.max(most, items.filter(({ metadata }) => metadata.deletionTimestamp !== undefined).length)
            return items.length === 0 ? Option.some(true) : Option.none()
          }),
        )
        assert.isAbove(most, 1)
        assert.isAtMost(most, 8)
      }).pipe(Effect.provide(operating({ stopAfter: "5 seconds" }))),
    60_000,
  )
})

describe("starts", () => {
  it.effect(
    "are a few at a time; the others have everything but the pod, say so, and follow in their turn",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const customers = ids(5, "many")
        for (const customerId of customers) yield* pushJob({ customerId })
        const standing = (kind: KindName) => Effect.map(cluster.list(kind), ({ items }) => items.length)
        yield* until(
          "everything but pods for all",
          Effect.map(standing("Service"), (count) => (count === 5 ? Option.some(true) : Option.none())),
        )
        yield* pass(1)
        assert.strictEqual(yield* standing("Deployment"), 2)
        const waiting = (yield* cluster.list("Agent")).items.filter((agent) =>
          JSON.stringify(agent.status).includes("StartQueued"),
        )
        assert.strictEqual(waiting.length, 3)
        for (const agent of waiting) assert.strictEqual(at(agent, "status", "phase"), "provisioning")
        for (const customerId of customers) yield* reaches(customerId, "active")
        assert.isTrue(
          (yield* reported).every(({ _tag }) => _tag === "step" || _tag === "active" || _tag === "resync"),
          "waiting for a turn is no failure",
        )
      }).pipe(Effect.provide(startingAtMost(2, { startAfter: "1 minute" }))),
    30_000,
  )
})

describe("a change that waits for its turn to start", () => {
  it.effect("stays in line though its agent runs, until that is to be deleted", () =>
    Effect.gen(function* () {
      const reconciler = yield* Reconciler
      const inLine = (waiting: number) =>
        until(
          `${waiting} in line`,
          Effect.map(reconciler.starts, (now) => (now.waiting === waiting ? Option.some(now) : Option.none())),
        )
      yield* pushJob()
      yield* reaches(ada, "active")
      for (const customerId of ids(1, "starting")) yield* pushJob({ customerId })
      for (const customerId of ids(1, "starting")) yield* reaches(customerId, "provisioning")
      yield* pushJob({ generation: 2, reason: "restart", desired: { restartedAt: 2 } })
      yield* inLine(1)
      const deletion = { confirmedGeneration: 3 }
      yield* pushJob({ generation: 3, reason: "deprovision", desired: { restartedAt: 2, deletion } })
      yield* inLine(0)
      assert.isTrue(Option.isSome(yield* agentOf(ada)), "its data is still being exported")
    }).pipe(
      Effect.provide(
        startingAtMost(1, {
          exports: () => Effect.never,
          process: (pod) => (pod.namespace === "customer-ada" ? Effect.void : Effect.never),
        }),
      ),
    ),
  )

  it.effect("is not told as made, neither at once nor by a resync", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const others = ids(1, "starting")
      for (const customerId of others) yield* pushJob({ customerId })
      for (const customerId of others) yield* reaches(customerId, "provisioning")
      yield* reported
      yield* pushJob({ generation: 2, reason: "restart", desired: { restartedAt: 2 } })
      yield* until(
        "the change to wait for its turn",
        Effect.map(
          agentOf(ada),
          Option.filter((agent) => JSON.stringify(agent.status).includes("StartQueued")),
        ),
      )
      const reconciler = yield* Reconciler
      yield* reconciler.look(ada, { report: true })
      yield* pass(1)
      const told = (yield* reported).flatMap((event) =>
        event.customerId === ada ? [event._tag === "resync" ? `resync ${event.phase}` : event._tag] : [],
      )
      assert.deepStrictEqual(told, ["resync updating"])
    }).pipe(
      Effect.provide(
        startingAtMost(1, { process: (pod) => (pod.namespace === "customer-ada" ? Effect.void : Effect.never) }),
      ),
    ),
  )
})

describe("rights in a new namespace", () => {
  const forbidden = (object: string) => new Refused({ object, reason: "Forbidden", message: "cannot patch resource" })
  /** A cluster whose authorizer learns of a RoleBinding only after a while. */
  const lagging = (real: Cluster["Service"], millis: number) => {
    let bound: number | undefined
    const refused = <A>(object: string, effect: Effect.Effect<A, ApplyError>) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        bound !== undefined && now - bound >= millis ? effect : Effect.fail(forbidden(object)),
      )
    return Cluster.of({
      ...real,
      apply: (manifest, options) =>
        manifest.metadata.namespace !== "customer-ada" || manifest.kind === "RoleBinding"
          ? real.apply(manifest, options).pipe(
              Effect.tap(() =>
                Effect.map(Clock.currentTimeMillis, (now) => {
                  if (manifest.kind === "RoleBinding") bound ??= now
                }),
              ),
            )
          : refused(manifest.kind, real.apply(manifest, options)),
    })
  }
  const provisioning = (millis: number, phase: string) =>
    Effect.gen(function* () {
      const slow = lagging(yield* Cluster, millis)
      return yield* Effect.gen(function* () {
        yield* pushJob()
        yield* reaches(ada, phase, phase === "active" ? 1 : 0)
        return (yield* reported).map(({ _tag }) => _tag)
      }).pipe(Effect.provide(Layer.provide(Operator.layer, Layer.succeed(Cluster)(slow))))
    }).pipe(Effect.scoped, Effect.provide(world()))

  it.effect("are waited for while they are new, without a word to the customer", () =>
    Effect.gen(function* () {
      assert.notInclude(yield* provisioning(3_000, "active"), "failed")
    }),
  )

  it.effect(
    "that never come are a failure",
    () =>
      Effect.gen(function* () {
        assert.include(yield* provisioning(Number.POSITIVE_INFINITY, "failed"), "failed")
      }),
    30_000,
  )
})

describe("two operators that both believe they lead", () => {
  it.effect("make one agent, tell every step once and end as one would", () =>
    Effect.gen(function* () {
      const real = yield* Cluster
      // Each is slow in its own way, so that one reads while the other is about to write.
      for (const millis of [7, 11]) {
        const slowly = <A, E>(effect: Effect.Effect<A, E>) => Effect.andThen(Effect.sleep(millis), effect)
        const slow = Cluster.of({
          ...real,
          get: (ref) => slowly(real.get(ref)),
          apply: (manifest, options) => slowly(real.apply(manifest, options)),
          patchStatus: (name, status, place) => slowly(real.patchStatus(name, status, place)),
        })
        yield* Layer.build(Layer.fresh(Layer.provide(Operator.layer, Layer.succeed(Cluster)(slow))))
      }
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* pushJob({ generation: 2, reason: "update", desired: { tier: "team" } })
      yield* reaches(ada, "active", 2)
      yield* changeByHand("NetworkPolicy", "openclaw")
      yield* pass(20)
      const cluster = yield* Cluster
      for (const kind of ["Agent", "Pod", "PersistentVolume", "Deployment"] as const)
        assert.strictEqual((yield* cluster.list(kind)).items.length, 1, kind)
      assert.notDeepEqual(at(yield* cluster.get(inside("NetworkPolicy")), "value", "spec", "egress"), [{}])
      const told = (yield* reported).flatMap((event) =>
        event._tag === "resync" || event._tag === "driftRepaired"
          ? []
          : [event._tag === "step" ? event.step : `${event._tag} ${event.generation}`],
      )
      assert.deepStrictEqual([...new Set(told)], told)
      const { log } = yield* Writes
      const written = log.length
      yield* pass(400)
      assert.deepStrictEqual(log.slice(written), [])
    }).pipe(Effect.scoped, Effect.provide(world())),
  )
})
