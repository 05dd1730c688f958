/** What the server refuses: by quota, by PodSecurity, for lack of a namespace, and because it stays as it was made. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Cluster } from "../../Cluster.ts"
import { at, type Manifest } from "../../Manifest.ts"
import { configMap, refOfMap, type Stage } from "./Stage.ts"

export const refusing = ({ test, eventually }: Stage): void => {
  /** A quota holds from when the server has first counted what there is. */
  const counted = (cluster: Cluster["Service"], namespace: string) =>
    eventually(
      Effect.map(cluster.get({ kind: "ResourceQuota", namespace, name: "q" }), (found) =>
        at(Option.getOrUndefined(found), "status", "hard") === undefined ? undefined : true,
      ),
    )

  test("refuses what a quota does not leave room for", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply({
        apiVersion: "v1",
        kind: "ResourceQuota",
        metadata: { name: "q", namespace },
        spec: { hard: { services: "0" } },
      })
      yield* counted(cluster, namespace)
      const service: Manifest = {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "s", namespace },
        spec: {
          type: "ClusterIP",
          selector: { app: "a" },
          ports: [{ name: "a", protocol: "TCP", port: 80, targetPort: 80 }],
        },
      }
      const refused = yield* Effect.result(cluster.apply(service))
      assert.isTrue(
        Result.isFailure(refused) && refused.failure._tag === "Refused" && refused.failure.reason === "Quota",
      )
    }))

  test("gives a pod the defaults of a LimitRange, and refuses one beyond its maximum or with less said than a quota counts", (cluster, namespace) =>
    Effect.gen(function* () {
      const pod = (name: string, resources: object): Manifest => ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace },
        spec: {
          serviceAccountName: "none",
          automountServiceAccountToken: false,
          containers: [{ name: "a", image: "web:test", imagePullPolicy: "Never", resources }],
        },
      })
      const refusal = (manifest: Manifest) =>
        Effect.map(Effect.result(cluster.apply(manifest)), (result) =>
          Result.isFailure(result) && result.failure._tag === "Refused" ? result.failure.reason : "stored",
        )
      yield* cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "none", namespace } })
      yield* cluster.apply({
        apiVersion: "v1",
        kind: "ResourceQuota",
        metadata: { name: "q", namespace },
        spec: { hard: { "limits.memory": "2Gi" } },
      })
      yield* counted(cluster, namespace)
      assert.strictEqual(yield* refusal(pod("silent", { limits: { cpu: "1" } })), "Forbidden")
      yield* cluster.apply({
        apiVersion: "v1",
        kind: "LimitRange",
        metadata: { name: "l", namespace },
        spec: {
          limits: [
            {
              type: "Container",
              default: { cpu: "1", memory: "1Gi" },
              defaultRequest: { cpu: "100m", memory: "512Mi" },
              max: { cpu: "2", memory: "1Gi" },
            },
          ],
        },
      })
      assert.strictEqual(yield* refusal(pod("large", { limits: { cpu: "4" } })), "Forbidden")
      const stored = yield* cluster.apply(pod("silent", { limits: { cpu: "2" } }))
      assert.deepStrictEqual(at(stored, "spec", "containers", 0, "resources"), {
        limits: { cpu: "2", memory: "1Gi" },
        // Who says a limit and no request requests as much as the limit, whatever the default.
        requests: { cpu: "2", memory: "512Mi" },
      })
      assert.strictEqual(yield* refusal(pod("second", { limits: { memory: "1025Mi" } })), "Forbidden")
      yield* cluster.apply(pod("third", {}))
      assert.strictEqual(yield* refusal(pod("one-too-many", {})), "Quota")
    }))

  test(
    "refuses a pod that PodSecurity forbids",
    (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "none", namespace } })
        const refused = yield* Effect.result(
          cluster.apply({
            apiVersion: "v1",
            kind: "Pod",
            metadata: { name: "rooted", namespace },
            spec: {
              serviceAccountName: "none",
              automountServiceAccountToken: false,
              containers: [{ name: "a", image: "a", securityContext: { allowPrivilegeEscalation: true } }],
            },
          }),
        )
        assert.isTrue(
          Result.isFailure(refused) && refused.failure._tag === "Refused" && refused.failure.reason === "PodSecurity",
        )
      }),
    { "pod-security.kubernetes.io/enforce": "restricted" },
  )

  test("knows nothing of a namespace that does not exist", (cluster, namespace) =>
    Effect.gen(function* () {
      const nowhere = yield* Effect.result(cluster.apply(configMap(`${namespace}-not`, "a", { x: "0" })))
      assert.strictEqual(Result.isFailure(nowhere) ? nowhere.failure._tag : "stored", "NotFound")
      assert.isTrue(Option.isNone(yield* cluster.get(refOfMap(namespace, "none"))))
      const removed = yield* Effect.result(cluster.remove(refOfMap(namespace, "none")))
      assert.strictEqual(Result.isFailure(removed) ? removed.failure._tag : "removed", "NotFound")
    }))

  test("keeps what an object was made as: a claim's class, a binding's role, a Secret's type", (cluster, namespace) =>
    Effect.gen(function* () {
      const claim = (storageClassName: string): Manifest => ({
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        metadata: { name: "data", namespace },
        spec: {
          accessModes: ["ReadWriteOnce"],
          volumeMode: "Filesystem",
          storageClassName,
          resources: { requests: { storage: "1Gi" } },
        },
      })
      const secret = (type: string): Manifest => ({
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "s", namespace },
        type,
        data: { x: "MA==" },
      })
      const binding = (name: string): Manifest => ({
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "RoleBinding",
        metadata: { name: "b", namespace },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
        subjects: [{ kind: "ServiceAccount", name: "none", namespace }],
      })
      for (const [made, other] of [
        [claim("contract-none"), claim("contract-other")],
        [secret("Opaque"), secret("contract.test/other")],
        [binding("contract-none"), binding("contract-other")],
      ] as const) {
        yield* cluster.apply(made)
        const changed = yield* Effect.result(cluster.apply(other))
        assert.isTrue(
          Result.isFailure(changed) && changed.failure._tag === "Refused" && changed.failure.reason === "Invalid",
          made.kind,
        )
      }
    }))

  /** A test of Agents: their definition stands, and the Agent goes with the test. */
}
