/** The two phases of a deletion: nothing is deleted before it is exported or given up, and then all of it. */
import { assert, describe, it } from "@effect/vitest"
import { AgentEvents } from "@berth/domain/AgentEvents"
import { StoreUnavailable } from "@berth/domain/Errors"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TestClock } from "effect/testing"
import { Cluster, Refused } from "../src/Cluster.ts"
import { PodFailed, type PodProcess, type RunningPod } from "../src/Cluster/Pods.ts"
import { type KindName, kinds } from "../src/Kinds.ts"
import { at, refOf } from "../src/Manifest.ts"
import * as Operator from "../src/Operator.ts"
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
  written,
} from "./World.ts"

const deletion = { confirmedGeneration: 2 }
const deprovision = (more: object = {}) =>
  pushJob({ generation: 2, reason: "deprovision", desired: { deletion: { ...deletion, ...more } } })

const gone = until(
  "the Agent gone",
  agentOf(ada).pipe(Effect.map((found) => (Option.isNone(found) ? Option.some(true) : Option.none()))),
)

/** Lets minutes pass in no time. */
const later = (seconds: number) =>
  Effect.forEach(
    Array.from({ length: seconds }),
    () =>
      Effect.andThen(
        TestClock.adjust("1 second"),
        Effect.promise(() => new Promise<void>((go) => setImmediate(go))),
      ),
    { discard: true },
  )

/** Everything that stands of the customer's in the whole cluster, but for what the operator keeps for itself. */
const left = Effect.gen(function* () {
  const cluster = yield* Cluster
  const lists = yield* Effect.forEach(Object.keys(kinds) as ReadonlyArray<KindName>, (kind) => cluster.list(kind))
  return lists
    .flatMap(({ items }) => items)
    .filter(
      (one) =>
        one.metadata.labels?.["berth.dev/customer"] === ada ||
        one.metadata.namespace === "customer-ada" ||
        at(one, "spec", "claimRef", "namespace") === "customer-ada",
    )
    .map((one) => `${one.kind} ${one.metadata.name}`)
})

/** What the agent would lose: its namespace, its claim and its volume as they were. */
const dataStands = Effect.gen(function* () {
  const cluster = yield* Cluster
  const volumes = (yield* cluster.list("PersistentVolume")).items
  const claim = yield* cluster.get({
    kind: "PersistentVolumeClaim",
    namespace: "customer-ada",
    name: "openclaw-data",
  })
  assert.isTrue(Option.isSome(claim))
  assert.deepStrictEqual(
    volumes.map((volume) => [at(volume, "spec", "persistentVolumeReclaimPolicy"), at(volume, "status", "phase")]),
    [["Retain", "Bound"]],
  )
})

const readyReason = agentOf(ada).pipe(
  Effect.map((agent) => at(Option.getOrUndefined(agent), "status", "conditions", 0, "reason")),
)

const tags = Effect.map(reported, (events) =>
  events.flatMap((event) =>
    event._tag === "step" || event._tag === "active" || event._tag === "resync" ? [] : [event._tag],
  ),
)

const running = Effect.gen(function* () {
  yield* pushJob()
  yield* reaches(ada, "active")
})

const story = (title: string, options: WorldOptions, body: Effect.Effect<void, unknown, any>, timeout?: number) =>
  it.effect(
    title,
    () => Effect.andThen(running, body).pipe(Effect.provide(operating(options))) as Effect.Effect<void>,
    timeout,
  )

const fails: PodProcess = () =>
  Effect.fail(new PodFailed({ reason: "Error", message: JSON.stringify({ _tag: "Failed", message: "no room" }) }))

describe("deprovisioning", () => {
  it.effect("stops the agent, exports its data, tells so, and only then deletes all of it", () => {
    const seen: Array<RunningPod> = []
    const exports: PodProcess = (pod) =>
      Effect.sync(() => {
        seen.push(pod)
        return JSON.stringify({ _tag: "Written", ...written })
      })
    const agent: PodProcess = ({ volumes }) =>
      Effect.sync(() => void volumes["/data"]?.set("state/workspace/MEMORY.md", "the cat is called Tom"))
    return Effect.gen(function* () {
      yield* running
      yield* deprovision()
      yield* gone
      assert.deepStrictEqual(yield* tags, ["deprovisioning", "exported", "deleted"])
      assert.deepStrictEqual(yield* left, ["ConfigMap deletion-ada", "ConfigMap tombstone-ada"])
      const [pod] = seen
      assert.lengthOf(seen, 1)
      assert.strictEqual(pod?.volumes["/data"]?.get("state/workspace/MEMORY.md"), "the cat is called Tom")
      assert.include(pod?.files["/config/openclaw.json"], "telegram")
      assert.strictEqual(pod?.env["EXPORT_NAME"], "berth-ada-2")
      assert.deepStrictEqual(JSON.parse(pod?.env["EXPORT_DESTINATION"] ?? ""), {
        parts: ["https://store.test/ada/2.tar.gz.age?signature=secret"],
      })
      assert.deepStrictEqual(
        Object.keys(pod?.env ?? {}).filter((name) => !name.startsWith("EXPORT_")),
        [],
        "nothing of the platform's, nor the agent's own secrets",
      )
    }).pipe(Effect.provide(operating({ exports, process: agent })))
  })

  story(
    "deletes nothing while the export fails; says so, tries again ever later, and goes on when one succeeds",
    {
      exports: (() => {
        let tries = 0
        return (...running: Parameters<PodProcess>) =>
          ++tries < 4 ? fails(...running) : Effect.succeed(JSON.stringify({ _tag: "Written", ...written }))
      })(),
    },
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* deprovision()
      for (const seconds of [30, 60, 120]) {
        yield* later(seconds)
        assert.strictEqual(yield* readyReason, "ExportFailed")
        yield* dataStands
        assert.lengthOf((yield* cluster.list("Job")).items, 1)
      }
      yield* later(300)
      yield* gone
      assert.deepStrictEqual(yield* tags, ["deprovisioning", "troubled", "exported", "deleted"])
    }),
    30_000,
  )

  let atWork = 0
  let mostAtWork = 0
  story(
    "never has two exporters at work, also when somebody deletes the Job of one",
    {
      stopAfter: "20 seconds",
      exports: () =>
        Effect.acquireRelease(
          Effect.sync(() => (mostAtWork = Math.max(mostAtWork, ++atWork))),
          () =>
            Effect.andThen(
              Effect.sleep("10 seconds"),
              Effect.sync(() => atWork--),
            ),
        ).pipe(
          Effect.andThen(Effect.sleep("1 minute")),
          Effect.as(JSON.stringify({ _tag: "Written", ...written })),
          Effect.scoped,
        ),
    },
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* deprovision()
      yield* until(
        "an exporter at work",
        Effect.sync(() => (atWork > 0 ? Option.some(true) : Option.none())),
      )
      for (const job of (yield* cluster.list("Job")).items) yield* cluster.remove(refOf(job))
      yield* gone
      assert.strictEqual(mostAtWork, 1)
    }),
    30_000,
  )

  story(
    "believes no export that the store does not hold",
    { holds: () => Effect.succeed(false) },
    Effect.gen(function* () {
      yield* deprovision()
      yield* later(120)
      assert.strictEqual(yield* readyReason, "ExportFailed")
      yield* dataStands
    }),
    30_000,
  )

  story(
    "deletes without an export what ops gave up, and not before",
    { exports: fails },
    Effect.gen(function* () {
      yield* deprovision()
      yield* later(20)
      yield* dataStands
      yield* pushJob({
        generation: 3,
        reason: "deprovision",
        desired: { deletion: { confirmedGeneration: 3, exportWaived: true } },
      })
      yield* gone
      assert.deepStrictEqual(yield* left, ["ConfigMap deletion-ada", "ConfigMap tombstone-ada"])
      assert.notInclude(yield* tags, "exported")
    }),
    30_000,
  )

  story(
    "is called off by a job that no longer wants it: the data stays, and the agent runs again with it",
    { exports: () => Effect.never },
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* deprovision()
      yield* until(
        "the export begun",
        cluster.list("Job").pipe(Effect.map(({ items }) => (items.length > 0 ? Option.some(true) : Option.none()))),
      )
      const before = (yield* cluster.list("PersistentVolume")).items.map(({ metadata }) => metadata.uid)
      yield* pushJob({ generation: 3, reason: "resume" })
      yield* reaches(ada, "active", 3)
      yield* dataStands
      assert.deepStrictEqual(
        (yield* cluster.list("PersistentVolume")).items.map(({ metadata }) => metadata.uid),
        before,
      )
      assert.deepStrictEqual((yield* cluster.list("Job")).items, [])
      const secret = yield* cluster.get({ kind: "Secret", namespace: "customer-ada", name: "export" })
      assert.strictEqual(
        at(Option.getOrUndefined(secret), "data", "EXPORT_DESTINATION"),
        "",
        "nobody can put there any more",
      )
    }),
  )

  story(
    "is not called off any more once data is being deleted; then a new agent is built, with nothing of the old one",
    { stopAfter: "10 seconds" },
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const [old] = (yield* cluster.list("PersistentVolume")).items
      yield* deprovision()
      const isDeleting = Option.match({
        onNone: () => Option.none<true>(),
        onSome: (namespace: { metadata: { deletionTimestamp?: string } }) =>
          namespace.metadata.deletionTimestamp === undefined ? Option.none<true>() : Option.some<true>(true),
      })
      yield* until(
        "the namespace going",
        cluster.get({ kind: "Namespace", name: "customer-ada" }).pipe(Effect.map(isDeleting)),
      )
      yield* pushJob({ generation: 3, reason: "resume" })
      yield* reaches(ada, "active", 3)
      yield* dataStands
      assert.notStrictEqual((yield* cluster.list("PersistentVolume")).items[0]?.metadata.uid, old?.metadata.uid)
      const events = yield* reported
      const told = events.find(({ _tag }) => _tag === "deleted")
      assert.strictEqual(told?.generation, 2, "it is the old job's agent that is deleted")
      assert.strictEqual(events.at(-1)?._tag, "active")
    }),
    30_000,
  )

  it.effect(
    "goes to its end also when the operator dies as it begins and the next one is told to keep the agent",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const stateOf = Effect.map(
          cluster.get({ kind: "ConfigMap", namespace: "berth-agents", name: "deletion-ada" }),
          Option.map((found): unknown => JSON.parse(String(at(found, "data", "deletion"))).state),
        )
        const dying = Context.make(Cluster, {
          ...cluster,
          apply: (manifest, options) =>
            Effect.tap(cluster.apply(manifest, options), () =>
              manifest.metadata.name === "deletion-ada" ? Effect.never : Effect.void,
            ),
        })
        const first = yield* Effect.forkScoped(Layer.launch(Operator.layer).pipe(Effect.provideContext(dying)))
        yield* running
        const [old] = (yield* cluster.list("PersistentVolume")).items
        yield* deprovision({ exportWaived: true })
        yield* until("the deletion begun", stateOf)
        yield* pushJob({ generation: 3, reason: "resume" })
        yield* until(
          "the Agent to be kept",
          Effect.map(
            agentOf(ada),
            Option.filter((agent) => at(agent, "spec", "generation") === 3),
          ),
        )
        yield* Fiber.interrupt(first)
        yield* Effect.forkScoped(Layer.launch(Operator.layer))
        yield* reaches(ada, "active", 3)
        assert.deepStrictEqual(yield* stateOf, Option.some("erased"))
        assert.notStrictEqual((yield* cluster.list("PersistentVolume")).items[0]?.metadata.uid, old?.metadata.uid)
      }).pipe(Effect.scoped, Effect.provide(world())),
    30_000,
  )

  story(
    "does not begin the export while the agent still has its databases open",
    { stopAfter: "30 seconds" },
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const isRunning = Effect.map(
        cluster.list("Pod", { namespace: "customer-ada", labels: { "app.kubernetes.io/name": "openclaw" } }),
        ({ items }) => items.length > 0,
      )
      yield* deprovision()
      for (let seconds = 0; seconds < 25; seconds++) {
        yield* later(1)
        assert.isTrue(yield* isRunning)
        assert.deepStrictEqual((yield* cluster.list("Job")).items, [])
      }
      yield* gone
      assert.deepStrictEqual(yield* tags, ["deprovisioning", "exported", "deleted"])
    }),
    30_000,
  )

  story(
    "tells that the export does not get on when the agent's pod does not end, and goes on when it has",
    { stopAfter: "15 minutes" },
    Effect.gen(function* () {
      yield* deprovision()
      yield* later(590)
      assert.strictEqual(yield* readyReason, "Exporting")
      yield* later(60)
      assert.strictEqual(yield* readyReason, "ExportFailed")
      yield* dataStands
      yield* later(300)
      yield* gone
      assert.deepStrictEqual(yield* tags, ["deprovisioning", "troubled", "exported", "deleted"])
    }),
    30_000,
  )

  it.effect(
    "is not told as deleted while a volume still stands, however long its provisioner takes",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Cluster
        let isSlow = true
        const slow = Context.make(Cluster, {
          ...cluster,
          // What the provisioner has not seen yet is not done yet.
          merge: (ref, patch) =>
            ref.kind === "PersistentVolume" && isSlow ? cluster.merge(ref, {}) : cluster.merge(ref, patch),
        })
        yield* Effect.forkScoped(Layer.launch(Operator.layer).pipe(Effect.provideContext(slow)))
        yield* running
        yield* deprovision()
        yield* later(60)
        assert.isTrue(Option.isNone(yield* cluster.get({ kind: "Namespace", name: "customer-ada" })))
        assert.lengthOf((yield* cluster.list("PersistentVolume")).items, 1)
        assert.deepStrictEqual(yield* tags, ["deprovisioning", "exported"])
        isSlow = false
        yield* gone
        assert.deepStrictEqual(yield* tags, ["deleted"])
        assert.deepStrictEqual(yield* left, ["ConfigMap deletion-ada", "ConfigMap tombstone-ada"])
      }).pipe(Effect.scoped, Effect.provide(world())),
    30_000,
  )

  it.effect(
    "deletes also a volume that was freed for a claim that could not be made",
    () =>
      Effect.gen(function* () {
        const cluster = yield* Cluster
        let isFull = false
        const full = Context.make(Cluster, {
          ...cluster,
          apply: (manifest, options) =>
            isFull && manifest.kind === "PersistentVolumeClaim"
              ? Effect.fail(new Refused({ object: "claim", reason: "Quota", message: "no room" }))
              : cluster.apply(manifest, options),
        })
        yield* Effect.forkScoped(Layer.launch(Operator.layer).pipe(Effect.provideContext(full)))
        yield* running
        isFull = true
        yield* cluster.remove({ kind: "Namespace", name: "customer-ada" })
        yield* until(
          "the volume freed",
          Effect.map(cluster.list("PersistentVolume"), ({ items: [volume] }) =>
            at(volume, "spec", "claimRef", "uid") === undefined ? Option.some(true) : Option.none(),
          ),
        )
        yield* deprovision({ exportWaived: true })
        yield* gone
        assert.deepStrictEqual(yield* left, ["ConfigMap deletion-ada", "ConfigMap tombstone-ada"])
      }).pipe(Effect.scoped, Effect.provide(world())),
    30_000,
  )

  story(
    "exports also what a namespace deleted by hand left behind",
    {},
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* cluster.remove({ kind: "Namespace", name: "customer-ada" })
      yield* deprovision()
      yield* gone
      assert.deepStrictEqual((yield* tags).slice(-2), ["exported", "deleted"])
      assert.deepStrictEqual(yield* left, ["ConfigMap deletion-ada", "ConfigMap tombstone-ada"])
    }),
  )

  it.effect("of an agent that never was exports nothing and tells that it is deleted", () =>
    Effect.gen(function* () {
      yield* deprovision()
      const tombstone = { kind: "ConfigMap", namespace: "berth-agents", name: "tombstone-ada" }
      yield* until(
        "the tombstone",
        Effect.flatMap(Cluster, ({ get }) => get(tombstone)),
      )
      yield* gone
      assert.deepStrictEqual(yield* tags, ["deprovisioning", "deleted"])
      assert.deepStrictEqual(yield* left, ["ConfigMap deletion-ada", "ConfigMap tombstone-ada"])
    }).pipe(Effect.provide(operating())),
  )

  it.effect(
    "waits with the deletion until the word of the export has arrived",
    () =>
      Effect.gen(function* () {
        const events = yield* AgentEvents
        let isAway = false
        const flaky = Context.make(AgentEvents, {
          ...events,
          append: (event) =>
            isAway
              ? Effect.fail(new StoreUnavailable({ store: "redis", operation: "append", cause: "away" }))
              : Effect.suspend(() => {
                  isAway = event._tag === "deprovisioning"
                  return events.append(event)
                }),
        })
        yield* Effect.forkScoped(Layer.launch(Operator.layer).pipe(Effect.provideContext(flaky)))
        yield* running
        yield* deprovision()
        yield* later(60)
        yield* dataStands
        isAway = false
        yield* gone
        assert.deepStrictEqual(yield* tags, ["deprovisioning", "exported", "deleted"])
      }).pipe(Effect.scoped, Effect.provide(world())),
    30_000,
  )

  story(
    "that control has missed is told again when it asks again, with what was exported",
    {},
    Effect.gen(function* () {
      yield* deprovision()
      yield* gone
      yield* reported
      yield* deprovision()
      yield* pass(5)
      const again = yield* reported
      assert.deepStrictEqual(
        again.map((event) => (event._tag === "deleted" ? [event.generation, event.exported?.size] : event._tag)),
        [[2, written.size]],
      )
    }),
  )
})
