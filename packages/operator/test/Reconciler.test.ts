import { assert, describe, it } from "@effect/vitest"
import { JobQueue } from "@berth/domain/JobQueue"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { agentManifest } from "../src/Agent.ts"
import { Cluster } from "../src/Cluster.ts"
import type { RunningPod } from "../src/Cluster/Pods.ts"
import { at, refOf } from "../src/Manifest.ts"
import {
  ada,
  agentOf,
  operating,
  pass,
  pushJob,
  reaches,
  reported,
  secretValues,
  spec,
  until,
  Writes,
} from "./World.ts"

const namespaceName = "customer-ada"
const ns = { kind: "Namespace", name: namespaceName }
const inside = (kind: string, name = "openclaw") => ({ kind, namespace: namespaceName, name })

const isReady = (object: unknown) =>
  (at(object, "status", "conditions") as ReadonlyArray<unknown> | undefined)?.some(
    (one) => at(one, "type") === "Ready" && at(one, "status") === "True",
  ) === true

const pods = Effect.gen(function* () {
  const cluster = yield* Cluster
  return (yield* cluster.list("Pod", { namespace: namespaceName })).items
})

const stored = Effect.fn(function* (ref: { kind: string; namespace?: string; name: string }) {
  const cluster = yield* Cluster
  const found = yield* cluster.get(ref)
  assert.isTrue(Option.isSome(found), `${ref.kind} ${ref.name} stands`)
  return Option.getOrThrow(found)
})

const volumes = Effect.gen(function* () {
  const cluster = yield* Cluster
  return (yield* cluster.list("PersistentVolume")).items
})

describe("provisioning", () => {
  it.effect("ends with one Ready pod and reports every step in order, then active", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const running = yield* pods
      assert.strictEqual(running.length, 1)
      assert.isTrue(isReady(running[0]))
      assert.deepStrictEqual(
        (yield* reported).map((event) => (event._tag === "step" ? event.step : event._tag)),
        [
          "Namespace",
          "ServiceAccount",
          "Secret",
          "ConfigMap",
          "Quota",
          "NetworkPolicy",
          "Volume",
          "Service",
          "Deployment",
          "Ready",
          "active",
        ],
      )
    }).pipe(Effect.provide(operating())),
  )

  it.effect("writes nothing when an unchanged agent is looked at again, and reports it at each resync", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* reported
      const { log } = yield* Writes
      const before = log.length
      yield* pass(700)
      assert.deepStrictEqual(log.slice(before), [])
      const resyncs = yield* reported
      assert.isAtLeast(resyncs.length, 1)
      assert.isTrue(
        resyncs.every((event) => event._tag === "resync" && event.phase === "active" && event.generation === 1),
      )
    }).pipe(Effect.provide(operating())),
  )

  it.effect("looks again after five minutes, give or take one, so that operators and agents do not keep in step", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* pass(3_600)
      const times = (yield* reported).flatMap((event) => (event._tag === "resync" ? [event.at] : []))
      const gaps = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / 1_000)
      assert.isAtLeast(gaps.length, 9)
      assert.isAtLeast(Math.min(...gaps), 239)
      assert.isAtMost(Math.max(...gaps), 361)
      assert.isAbove(Math.max(...gaps) - Math.min(...gaps), 5)
    }).pipe(Effect.provide(operating())),
  )

  it.effect("says so when the pod can't start, and recovers by itself", () => {
    let broken = true
    return Effect.gen(function* () {
      const { PodFailed } = yield* Effect.promise(() => import("../src/Cluster/Pods.ts"))
      const process = () =>
        Effect.suspend(() =>
          broken ? Effect.fail(new PodFailed({ reason: "CrashLoopBackOff", message: "internal detail" })) : Effect.void,
        )
      yield* Effect.gen(function* () {
        yield* pushJob()
        yield* reaches(ada, "failed")
        broken = false
        yield* reaches(ada, "active")
        const events = (yield* reported).filter((event) => event._tag === "failed" || event._tag === "active")
        assert.deepStrictEqual(
          events.map(({ _tag }) => _tag),
          ["failed", "active"],
        )
        assert.notInclude(JSON.stringify(events), "internal detail")
      }).pipe(Effect.provide(operating({ process })))
    })
  })
})

describe("changes", () => {
  it.effect("a new tier changes quota and pod, and keeps the volume", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const [volume] = yield* volumes
      yield* pushJob({ generation: 2, reason: "update", desired: { tier: "team" } })
      yield* reaches(ada, "active", 2)
      assert.strictEqual(at(yield* stored(inside("ResourceQuota")), "spec", "hard", "limits.memory"), "8Gi")
      const [pod] = yield* pods
      assert.strictEqual(at(pod, "spec", "containers", 0, "resources", "limits", "memory"), "4Gi")
      assert.deepStrictEqual(
        (yield* volumes).map((one) => one.metadata.uid),
        [volume?.metadata.uid],
      )
    }).pipe(Effect.provide(operating())),
  )

  it.effect("suspension stops the pod and keeps the volume; resuming starts it again", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* pushJob({ generation: 2, reason: "suspend", desired: { suspended: ["payment"] } })
      yield* reaches(ada, "suspended", 2)
      assert.strictEqual((yield* pods).length, 0)
      assert.strictEqual((yield* volumes).length, 1)
      yield* pushJob({ generation: 3, reason: "resume" })
      yield* reaches(ada, "active", 3)
      assert.strictEqual((yield* pods).length, 1)
      // On a slow machine so much of the test's time passes that a resync comes in between.
      const seen = (yield* reported).flatMap(({ _tag, generation }) =>
        _tag === "step" || _tag === "resync" ? [] : [`${_tag} ${generation}`],
      )
      assert.deepStrictEqual(seen, ["active 1", "suspended 2", "active 3"])
    }).pipe(Effect.provide(operating())),
  )

  it.effect("a restart replaces the pod", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const [before] = yield* pods
      yield* pushJob({ generation: 2, reason: "restart", desired: { restartedAt: 1 } })
      yield* reaches(ada, "active", 2)
      const [after] = yield* pods
      assert.notStrictEqual(after?.metadata.uid, before?.metadata.uid)
    }).pipe(Effect.provide(operating())),
  )

  const another = {
    "proxy token": {
      job: {
        reason: "rotate",
        desired: { secrets: { proxyToken: 2, botToken: 1, gatewayToken: 1 } },
        values: { proxyToken: "bth_another" },
      },
      reaches: (pod: RunningPod) => pod.env.PROXY_TOKEN === "bth_another",
    },
    "bot token": {
      job: {
        reason: "rotate",
        desired: { secrets: { proxyToken: 1, botToken: 2, gatewayToken: 1 } },
        values: { botToken: "4242:another" },
      },
      reaches: (pod: RunningPod) => pod.env.TELEGRAM_BOT_TOKEN === "4242:another",
    },
    "list of allowed users": {
      job: { reason: "update", desired: { telegram: { botUsername: "ada_bot", allowedUserIds: ["4242", "77"] } } },
      reaches: (pod: RunningPod) =>
        JSON.parse(pod.files["/config/openclaw.json"] ?? "{}").channels.telegram.allowFrom[1] === "77",
    },
  } as const satisfies Record<
    string,
    { readonly job: Parameters<typeof pushJob>[0]; readonly reaches: (pod: RunningPod) => boolean }
  >
  for (const [what, { job, reaches: gets }] of Object.entries(another))
    it.effect(`another ${what} reaches a new pod, and only then is the change told as made`, () => {
      const ran: Array<RunningPod> = []
      return Effect.gen(function* () {
        yield* pushJob()
        yield* reaches(ada, "active")
        yield* reported
        yield* pushJob({ generation: 2, ...job })
        yield* reaches(ada, "active", 2)
        assert.deepStrictEqual(ran.map(gets), [false, true])
        const told = (yield* reported).map(({ _tag, generation }) => `${_tag} ${generation}`)
        assert.deepStrictEqual(told, ["active 2"])
      }).pipe(Effect.provide(operating({ process: (pod) => Effect.sync(() => void ran.push(pod)) })))
    })

  it.effect("a change that the pod has no part in leaves it alone", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const before = yield* pods
      // Sealed anew, but the same token.
      yield* pushJob({
        generation: 2,
        reason: "rotate",
        desired: {
          secrets: { proxyToken: 2, botToken: 1, gatewayToken: 1 },
          telegram: { botUsername: "ada_renamed_bot", allowedUserIds: ["4242"] },
        },
      })
      yield* reaches(ada, "active", 2)
      assert.deepStrictEqual(
        (yield* pods).map((one) => one.metadata.uid),
        before.map((one) => one.metadata.uid),
      )
    }).pipe(Effect.provide(operating())),
  )

  it.effect("an older generation changes nothing", () =>
    Effect.gen(function* () {
      yield* pushJob({ generation: 5, desired: { tier: "team" } })
      yield* reaches(ada, "active", 5)
      const { log } = yield* Writes
      const before = log.length
      yield* pushJob({ generation: 4, desired: { tier: "starter" } })
      yield* pass(5)
      assert.deepStrictEqual(log.slice(before), [])
      const queue = yield* JobQueue
      assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 0, dead: 0 })
    }).pipe(Effect.provide(operating())),
  )
})

describe("what people do by hand", () => {
  it.effect("deleting the Agent deletes nothing of the customer's, is reported, and the Agent is written again", () =>
    Effect.gen(function* () {
      yield* pushJob()
      const first = yield* reaches(ada, "active")
      const before = { pods: yield* pods, volumes: yield* volumes, namespace: yield* stored(ns) }
      yield* reported
      const cluster = yield* Cluster
      yield* cluster.remove({ kind: "Agent", name: ada })
      const again = yield* until(
        "another Agent",
        agentOf(ada).pipe(Effect.map(Option.filter((one) => one.metadata.uid !== first.metadata.uid))),
      )
      yield* pass(5)
      assert.deepStrictEqual(again.spec, first.spec)
      assert.deepStrictEqual({ pods: yield* pods, volumes: yield* volumes, namespace: yield* stored(ns) }, before)
      const conditions = at(yield* reaches(ada, "active"), "status", "conditions") as ReadonlyArray<unknown>
      assert.deepStrictEqual(
        conditions.map((one) => [at(one, "type"), at(one, "status")]),
        [
          ["Ready", "True"],
          ["DeletionBlocked", "False"],
        ],
      )
      assert.deepStrictEqual(
        (yield* reported).flatMap(({ _tag }) => (_tag === "resync" ? [] : [_tag])),
        ["deletionBlocked"],
      )
    }).pipe(Effect.provide(operating())),
  )

  it.effect("an Agent torn out without its finalizer is written again", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const [pod] = yield* pods
      const cluster = yield* Cluster
      yield* cluster.merge({ kind: "Agent", name: ada }, { metadata: { finalizers: null } })
      yield* cluster.remove({ kind: "Agent", name: ada })
      yield* reaches(ada, "active")
      assert.deepStrictEqual(
        (yield* pods).map((one) => one.metadata.uid),
        [pod?.metadata.uid],
      )
    }).pipe(Effect.provide(operating())),
  )

  it.effect("deleting the namespace rebuilds it and binds the same volume again, whatever its storage class says", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* reported
      const [volume] = yield* volumes
      assert.isDefined(volume)
      const old = yield* stored(ns)
      const cluster = yield* Cluster
      // As a class whose own policy is Delete makes it.
      yield* cluster.merge(refOf(volume), { spec: { persistentVolumeReclaimPolicy: "Delete" } })
      yield* pass(5)
      yield* cluster.remove(ns)
      yield* until(
        "another namespace",
        cluster.get(ns).pipe(Effect.map(Option.filter((one) => one.metadata.uid !== old.metadata.uid))),
      )
      yield* reaches(ada, "active")
      yield* pass(2)
      assert.strictEqual((yield* pods).length, 1)
      const standing = yield* volumes
      assert.deepStrictEqual(
        standing.map((one) => [one.metadata.uid, at(one, "status", "phase")]),
        [[volume.metadata.uid, "Bound"]],
      )
      assert.strictEqual(
        at(yield* stored(inside("PersistentVolumeClaim", "openclaw-data")), "spec", "volumeName"),
        volume.metadata.name,
      )
      const { log } = yield* Writes
      const count = log.length
      yield* pass(400)
      assert.deepStrictEqual(log.slice(count), [])
      const repaired = (yield* reported).flatMap((event) => (event._tag === "driftRepaired" ? [event.what] : []))
      assert.deepStrictEqual(repaired, ["Namespace customer-ada"])
    }).pipe(Effect.provide(operating())),
  )

  it.effect("an opened NetworkPolicy is closed again and reported", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const before = yield* stored(inside("NetworkPolicy"))
      const cluster = yield* Cluster
      yield* cluster.apply(
        {
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { name: "openclaw", namespace: namespaceName },
          spec: { egress: [{}] },
        },
        { manager: "kubectl" },
      )
      yield* pass(3)
      assert.deepStrictEqual((yield* stored(inside("NetworkPolicy"))).spec, before.spec)
      const repaired = (yield* reported).flatMap((event) => (event._tag === "driftRepaired" ? [event.what] : []))
      assert.deepStrictEqual(repaired, ["NetworkPolicy customer-ada/openclaw"])
    }).pipe(Effect.provide(operating())),
  )

  it.effect("a container that someone added to the Deployment is taken out", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const cluster = yield* Cluster
      yield* cluster.apply(
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "openclaw", namespace: namespaceName },
          spec: { template: { spec: { containers: [{ name: "extra", image: "x" }] } } },
        },
        { manager: "kubectl" },
      )
      yield* pass(5)
      const containers = at(yield* stored(inside("Deployment")), "spec", "template", "spec", "containers")
      assert.deepStrictEqual(
        (containers as ReadonlyArray<unknown>).map((one) => at(one, "name")),
        ["openclaw"],
      )
    }).pipe(Effect.provide(operating())),
  )

  it.effect("a deletion written into the Agent's spec by hand deletes nothing and is taken out", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const cluster = yield* Cluster
      yield* cluster.apply(agentManifest(ada, { ...spec, deletion: { confirmedGeneration: 1 } }))
      yield* pass(5)
      assert.isUndefined(at(yield* reaches(ada, "active"), "spec", "deletion"))
      assert.strictEqual((yield* pods).length, 1)
    }).pipe(Effect.provide(operating())),
  )

  it.effect("what somebody else adds to the Agent's spec is taken out, though nobody but him owns it", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const cluster = yield* Cluster
      const theirs = agentManifest(ada, { ...spec, deletion: { confirmedGeneration: 1 }, restartedAt: 7 })
      yield* cluster.apply(theirs, { manager: "kubectl", force: true })
      yield* pass(5)
      const { spec: left } = yield* reaches(ada, "active")
      assert.deepStrictEqual([at(left, "deletion"), at(left, "restartedAt")], [undefined, undefined])
      assert.strictEqual((yield* pods).length, 1)
    }).pipe(Effect.provide(operating())),
  )

  it.effect("a changed secret is put back at the resync", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      const cluster = yield* Cluster
      yield* cluster.merge(inside("Secret"), { data: { PROXY_TOKEN: null } })
      yield* pass(400)
      const token = at(yield* stored(inside("Secret")), "data", "PROXY_TOKEN")
      assert.strictEqual(Buffer.from(String(token), "base64").toString(), secretValues.proxyToken)
    }).pipe(Effect.provide(operating())),
  )
})

describe("deprovisioning", () => {
  const deletion = { confirmedGeneration: 2 }
  it.effect("deletes everything with the data, reports it, and bars older jobs for good", () =>
    Effect.gen(function* () {
      yield* pushJob()
      yield* reaches(ada, "active")
      yield* pushJob({ generation: 2, reason: "deprovision", desired: { deletion } })
      const cluster = yield* Cluster
      yield* until(
        "the Agent gone",
        agentOf(ada).pipe(Effect.map((found) => (Option.isNone(found) ? Option.some(true) : Option.none()))),
      )
      assert.isTrue(Option.isNone(yield* cluster.get(ns)))
      assert.deepStrictEqual(yield* volumes, [])
      assert.isTrue(Option.isNone(yield* cluster.get({ kind: "Secret", namespace: "berth-agents", name: "agent-ada" })))
      const last = (yield* reported).at(-1)
      assert.deepStrictEqual([last?._tag, last?.generation], ["deleted", 2])

      yield* pushJob({ generation: 2, reason: "deprovision", desired: { deletion } })
      yield* pushJob({ generation: 1 })
      yield* pass(5)
      assert.isTrue(Option.isNone(yield* agentOf(ada)))
      yield* pushJob({ generation: 3 })
      yield* reaches(ada, "active", 3)
      const renewed = (yield* reported).at(-1)
      assert.deepStrictEqual([renewed?._tag, renewed?.generation], ["active", 3])
    }).pipe(Effect.provide(operating())),
  )
})
