/** Claims and volumes: what is kept when a claim goes, and what is erased. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Cluster } from "../../Cluster.ts"
import { at, type Manifest, type Ref } from "../../Manifest.ts"
import type { Stage } from "./Stage.ts"

const claim = (namespace: string, volumeName?: string): Manifest => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data", namespace },
  spec: {
    accessModes: ["ReadWriteOnce"],
    volumeMode: "Filesystem",
    storageClassName: "local-path",
    resources: { requests: { storage: "1Gi" } },
    ...(volumeName === undefined ? {} : { volumeName }),
  },
})

const claimRef = (namespace: string): Ref => ({ kind: "PersistentVolumeClaim", namespace, name: "data" })

/** A pod that mounts the claim. */
const user = (namespace: string, replicas: number): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "user", namespace },
  spec: {
    replicas,
    strategy: { type: "Recreate" },
    selector: { matchLabels: { app: namespace } },
    template: {
      metadata: { labels: { app: namespace } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: "user",
            image: "web:test",
            imagePullPolicy: "Never",
            volumeMounts: [{ name: "data", mountPath: "/data" }],
          },
        ],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
      },
    },
  },
})

export const volumes = ({ test, eventually, gone, options }: Stage): void => {
  if (!options.pods) return

  const bound = (cluster: Cluster["Service"], namespace: string) =>
    eventually(
      Effect.map(cluster.get(claimRef(namespace)), (found) => {
        const one = Option.getOrUndefined(found)
        return at(one, "status", "phase") === "Bound" ? String(at(one, "spec", "volumeName")) : undefined
      }),
    )
  /** A pod that has no node yet does not use its claim. */
  const running = (cluster: Cluster["Service"], namespace: string) =>
    eventually(
      Effect.map(cluster.list("Pod", { namespace }), ({ items }) =>
        items.some((pod) => at(pod, "status", "phase") === "Running") ? true : undefined,
      ),
    )
  const inPhase = (cluster: Cluster["Service"], name: string, phase: string) =>
    eventually(
      Effect.map(cluster.get({ kind: "PersistentVolume", name }), (found) =>
        at(Option.getOrUndefined(found), "status", "phase") === phase ? true : undefined,
      ),
    )

  test("keeps a claim while a pod uses it, its volume when it is gone, and erases that when told to", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(claim(namespace))
      yield* cluster.apply(user(namespace, 1))
      const name = yield* bound(cluster, namespace)
      yield* running(cluster, namespace)
      const volume: Ref = { kind: "PersistentVolume", name }
      const made = Option.getOrThrow(yield* cluster.get(volume))
      assert.strictEqual(at(made, "spec", "persistentVolumeReclaimPolicy"), "Retain")
      assert.strictEqual(at(made, "spec", "claimRef", "namespace"), namespace)

      yield* cluster.remove(claimRef(namespace))
      const held = yield* cluster.get(claimRef(namespace))
      assert.isDefined(Option.getOrThrow(held).metadata.deletionTimestamp)
      yield* cluster.apply(user(namespace, 0))
      yield* gone(cluster, claimRef(namespace))
      yield* inPhase(cluster, name, "Released")

      yield* cluster.merge(volume, { spec: { persistentVolumeReclaimPolicy: "Delete" } })
      yield* gone(cluster, volume)
    }))

  test("binds a new claim to the volume that an old one left, once that is set free", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(claim(namespace))
      yield* cluster.apply(user(namespace, 1))
      const name = yield* bound(cluster, namespace)
      yield* cluster.apply(user(namespace, 0))
      yield* cluster.remove(claimRef(namespace))
      yield* gone(cluster, claimRef(namespace))
      yield* inPhase(cluster, name, "Released")

      yield* cluster.apply(claim(namespace, name))
      yield* cluster.apply(user(namespace, 1))
      yield* cluster.merge(
        { kind: "PersistentVolume", name },
        { spec: { claimRef: { uid: null, resourceVersion: null } } },
      )
      assert.strictEqual(yield* bound(cluster, namespace), name)
      yield* cluster.merge({ kind: "PersistentVolume", name }, { spec: { persistentVolumeReclaimPolicy: "Delete" } })
      yield* cluster.apply(user(namespace, 0))
      yield* cluster.remove(claimRef(namespace))
      yield* gone(cluster, { kind: "PersistentVolume", name })
    }))
}
