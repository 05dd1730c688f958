/** What the memory cluster's Jobs do that takes time, or that only its own processes can show. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Cluster } from "../../src/Cluster.ts"
import { layerMemory } from "../../src/Cluster/Memory.ts"
import { PodFailed, type PodProcess } from "../../src/Cluster/Pods.ts"
import { at, type Manifest, type Stored } from "../../src/Manifest.ts"
import { pass } from "../World.ts"

const namespace = "platform"

const job = (spec: object = {}): Manifest => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "export", namespace },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 2,
    template: {
      spec: {
        restartPolicy: "Never",
        containers: [
          {
            name: "export",
            image: "exporter",
            command: ["export", "it"],
            volumeMounts: [{ name: "data", mountPath: "/data" }],
          },
        ],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
      },
    },
    ...spec,
  },
})

const claim: Manifest = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", namespace },
  spec: { resources: { requests: { storage: "1Gi" } } },
}

const test = (title: string, process: PodProcess, body: Effect.Effect<void, unknown, Cluster>) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* cluster.apply(claim)
      yield* body
    }).pipe(Effect.provide(layerMemory({ process }))),
  )

const stands = Effect.gen(function* () {
  const cluster = yield* Cluster
  const found = yield* cluster.get({ kind: "Job", namespace, name: "export" })
  const { items } = yield* cluster.list("Pod", { namespace })
  return { job: Option.getOrUndefined(found), pods: items }
})

const terminated = (pod: Stored | undefined) => at(pod, "status", "containerStatuses", 0, "state", "terminated")
const conditions = (object: unknown) =>
  ((at(object, "status", "conditions") ?? []) as ReadonlyArray<unknown>).map((one) => [
    at(one, "type"),
    at(one, "reason"),
  ])

const failing: PodProcess = () => Effect.fail(new PodFailed({ reason: "Error", message: "no room" }))

describe("a Job of the memory cluster", () => {
  test(
    "leaves its process' last words in the pod's termination message",
    (pod) => Effect.succeed(`${pod.image}: ${pod.command.join(" ")}, ends: ${pod.ends}`),
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* cluster.apply(job())
      yield* pass(1)
      const { job: done, pods } = yield* stands
      assert.strictEqual(at(terminated(pods[0]), "message"), "exporter: export it, ends: true")
      assert.strictEqual(at(terminated(pods[0]), "exitCode"), 0)
      assert.strictEqual(at(pods[0], "status", "phase"), "Succeeded")
      assert.deepStrictEqual(conditions(done), [
        ["SuccessCriteriaMet", "CompletionsReached"],
        ["Complete", "CompletionsReached"],
      ])
    }),
  )

  test(
    "tries again after 10 s and 20 s, then gives up for good",
    failing,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* cluster.apply(job())
      yield* pass(9)
      assert.lengthOf((yield* stands).pods, 1)
      yield* pass(4)
      assert.lengthOf((yield* stands).pods, 2)
      yield* pass(16)
      assert.lengthOf((yield* stands).pods, 2)
      yield* pass(8)
      const { job: failed, pods } = yield* stands
      assert.lengthOf(pods, 3)
      assert.strictEqual(at(failed, "status", "failed"), 3)
      assert.deepStrictEqual(conditions(failed).at(-1), ["Failed", "BackoffLimitExceeded"])
      assert.deepStrictEqual(
        pods.map((pod) => [at(terminated(pod), "exitCode"), at(terminated(pod), "message")]),
        [
          [1, "no room"],
          [1, "no room"],
          [1, "no room"],
        ],
      )
      yield* pass(60)
      assert.lengthOf((yield* stands).pods, 3)
    }),
  )

  test(
    "is stopped at its deadline",
    () => Effect.never,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* cluster.apply(job({ activeDeadlineSeconds: 30 }))
      yield* pass(29)
      assert.deepStrictEqual(conditions((yield* stands).job), [])
      yield* pass(3)
      const { job: failed, pods } = yield* stands
      assert.deepStrictEqual(conditions(failed).at(-1), ["Failed", "DeadlineExceeded"])
      assert.lengthOf(pods, 0)
    }),
  )

  test(
    "counts a pod that was deleted under way as failed, and makes another",
    () => Effect.never,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* cluster.apply(job())
      yield* pass(1)
      const [first] = (yield* stands).pods
      assert.isDefined(first)
      yield* cluster.remove({ kind: "Pod", namespace, name: first.metadata.name })
      yield* pass(12)
      const { job: running, pods } = yield* stands
      assert.deepStrictEqual([at(running, "status", "failed"), at(running, "status", "active")], [1, 1])
      assert.notStrictEqual(pods[0]?.metadata.uid, first.metadata.uid)
    }),
  )

  test(
    "finds on the volume what another pod left there, until the volume is deleted with its data",
    ({ volumes }) =>
      Effect.sync(() => {
        const data = volumes["/data"]
        const before = data?.get("state/note") ?? "nothing"
        data?.set("state/note", "remembered")
        return before
      }),
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const ref = { kind: "Job", namespace, name: "export" }
      const run = Effect.gen(function* () {
        yield* cluster.apply(job())
        yield* pass(1)
        const message = at(terminated((yield* stands).pods[0]), "message")
        yield* cluster.remove(ref)
        yield* pass(1)
        return message
      })
      assert.strictEqual(yield* run, "nothing")
      assert.strictEqual(yield* run, "remembered")
      const [volume] = (yield* cluster.list("PersistentVolume")).items
      const name = volume?.metadata.name ?? ""
      yield* cluster.merge({ kind: "PersistentVolume", name }, { spec: { persistentVolumeReclaimPolicy: "Delete" } })
      yield* cluster.remove({ kind: "PersistentVolumeClaim", namespace, name: "data" })
      yield* pass(1)
      yield* cluster.apply({ ...claim, spec: { ...(claim.spec as object), volumeName: name } })
      yield* cluster.apply({
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name },
        spec: { persistentVolumeReclaimPolicy: "Retain", capacity: { storage: "1Gi" } },
      })
      assert.strictEqual(yield* run, "nothing")
    }),
  )
})
