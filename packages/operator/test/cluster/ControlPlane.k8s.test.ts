/** The cheap tier is a real Kubernetes: what it admits, what it schedules, and what it remembers when its parts die. */
import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { ControlPlane, isReady } from "./ControlPlane.ts"
import { sharedPlane } from "./Shared.ts"
import { volumesFolder } from "./ControlPlaneComponents.ts"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"

const namespace = (name: string, enforce = "restricted") => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: { "pod-security.kubernetes.io/enforce": enforce } },
})

const restricted = {
  securityContext: { runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: "RuntimeDefault" } },
  containers: [
    {
      name: "main",
      image: "test.local/none:1",
      securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
    },
  ],
}

const deployment = (name: string, spec: object = restricted) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec },
  },
})

const claim = (name: string) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name },
  spec: { accessModes: ["ReadWriteOnce"], storageClassName: "local-path", resources: { requests: { storage: "1Gi" } } },
})

const available = (object: any) => object?.status?.availableReplicas === 1

describe("a control plane that tests share", () => {
  layer(sharedPlane, { excludeTestServices: true })((it) => {
    it.effect("runs a Deployment's pod, admits none that PodSecurity forbids, and holds a quota", () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        const root = "/api/v1/namespaces/shared-admission"
        yield* api.apply(root, namespace("shared-admission"))
        const deployments = "/apis/apps/v1/namespaces/shared-admission/deployments"
        yield* api.apply(`${deployments}/good`, deployment("good"))
        yield* api.until(`${deployments}/good`, available)

        const bare = yield* api.request("POST", `${root}/pods`, {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "bad" },
          spec: { containers: [{ name: "main", image: "test.local/none:1", securityContext: { privileged: true } }] },
        })
        assert.strictEqual(bare.status, 403)
        assert.include(bare.body.message, "violates PodSecurity")

        yield* api.apply(`${root}/resourcequotas/one`, {
          apiVersion: "v1",
          kind: "ResourceQuota",
          metadata: { name: "one" },
          spec: { hard: { "count/configmaps": "1" } },
        })
        yield* api.until(`${root}/resourcequotas/one`, (quota) => quota?.status?.used?.["count/configmaps"] === "1")
        const over = yield* api.request("POST", `${root}/configmaps`, {
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "second" },
        })
        assert.strictEqual(over.status, 403)
        assert.include(over.body.message, "exceeded quota")
        yield* api.remove(root)
      }),
    )

    it.effect("gives a service account no right that was not bound to it", () =>
      Effect.gen(function* () {
        const cluster = yield* ControlPlane
        const root = "/api/v1/namespaces/shared-rights"
        yield* cluster.api.apply(root, namespace("shared-rights"))
        yield* cluster.api.apply(`${root}/serviceaccounts/nobody`, {
          apiVersion: "v1",
          kind: "ServiceAccount",
          metadata: { name: "nobody" },
        })
        const nobody = yield* cluster.kubeconfig({ serviceAccount: { namespace: "shared-rights", name: "nobody" } })
        const may = (file: string) =>
          cluster.kubectl(["auth", "can-i", "list", "secrets", "--all-namespaces", `--kubeconfig=${file}`]).pipe(
            Effect.map((printed) => printed.trim()),
            Effect.catch(({ message }) => Effect.succeed(message)),
          )
        assert.strictEqual(yield* may(cluster.admin), "yes")
        assert.notStrictEqual(yield* may(nobody), "yes")
        yield* cluster.api.remove(root)
      }),
    )

    it.effect("makes a volume for a claim, and keeps its data until its policy is Delete", () =>
      Effect.gen(function* () {
        const { api, folder } = yield* ControlPlane
        const root = "/api/v1/namespaces/shared-volumes"
        const claims = `${root}/persistentvolumeclaims`
        yield* api.apply(root, namespace("shared-volumes"))
        yield* api.apply(`${claims}/data`, claim("data"))
        yield* api.request("POST", `${root}/pods`, {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "writer" },
          spec: { ...restricted, volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }] },
        })
        yield* api.until(`${root}/pods/writer`, isReady)
        const bound = yield* api.until(`${claims}/data`, (one) => one?.status?.phase === "Bound")
        const path = `/api/v1/persistentvolumes/${bound.spec.volumeName}`
        const volume = yield* api.get(path)
        assert.strictEqual(volume.spec.persistentVolumeReclaimPolicy, "Retain")
        const data = join(
          volumesFolder(folder),
          readdirSync(volumesFolder(folder)).find((name) => name.includes("shared-volumes"))!,
        )
        assert.strictEqual(data, volume.spec.hostPath.path)

        yield* api.remove(`${root}/pods/writer`)
        yield* api.remove(`${claims}/data`)
        yield* api.until(path, (one) => one?.status?.phase === "Released")
        assert.isTrue(existsSync(data))
        yield* api.merge(path, { spec: { persistentVolumeReclaimPolicy: "Delete" } })
        yield* api.until(path, (one) => one === undefined)
        assert.isFalse(existsSync(data))
        yield* api.remove(root)
      }),
    )
  })
})

describe("control planes of a test's own", () => {
  it.live("stand side by side, and one that loses etcd, apiserver and controllers goes on where it was", () =>
    Effect.gen(function* () {
      const [one, other] = yield* Effect.all([ControlPlane.make({ nodes: 1 }), ControlPlane.make({ nodes: 1 })], {
        concurrency: 2,
      })
      const path = "/api/v1/namespaces/only-here"
      yield* one.api.apply(path, namespace("only-here"))
      assert.strictEqual(yield* other.api.get(path), undefined)

      for (const name of ["kube-controller-manager", "kube-scheduler", "kube-apiserver", "etcd"] as const)
        yield* one.kill(name)
      const dead = yield* Effect.flip(one.api.get(path))
      assert.strictEqual(dead._tag, "ClusterFailed")
      for (const name of ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"] as const)
        yield* one.start(name)
      assert.strictEqual((yield* one.api.get(path)).metadata.name, "only-here")
      const deployments = "/apis/apps/v1/namespaces/only-here/deployments/late"
      yield* one.api.apply(deployments, deployment("late"))
      yield* one.api.until(deployments, available)
    }).pipe(Effect.scoped),
  )
})
