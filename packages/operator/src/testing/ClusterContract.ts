/**
 * What every Cluster promises: the memory cluster and a real kube-apiserver alike. Runs in real time and in namespaces of
 * its own, so that one server can serve all tests; what a server does by and by is waited for.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { agentCrd } from "../Agent/Crd.ts"
import { agentManifest, type AgentSpec } from "../Agent.ts"
import { Cluster } from "../Cluster.ts"
import { CustomerId } from "@berth/domain/Ids"
import { networkPolicy } from "../desired/NetworkPolicy.ts"
import { at, type Manifest, type Ref } from "../Manifest.ts"
import { embedded } from "../Settings.ts"

export interface ContractOptions {
  /** Whether something starts pods. */
  readonly pods: boolean
}

const configMap = (
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>>,
  more: object = {},
): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels: { "contract.test/of": namespace }, ...more },
  data,
})

const refOfMap = (namespace: string, name: string): Ref => ({ kind: "ConfigMap", namespace, name })

const deployment = (namespace: string, replicas: number, version: string): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "app", namespace },
  spec: {
    replicas,
    strategy: { type: "Recreate" },
    selector: { matchLabels: { app: namespace } },
    template: {
      metadata: { labels: { app: namespace }, annotations: { version } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "app", image: "web:test", imagePullPolicy: "Never" }],
      },
    },
  },
})

const spec: AgentSpec = {
  generation: 1,
  tier: "pro",
  models: ["kimi-k2.6"],
  imageChannel: "stable",
  telegram: { botUsername: "bot", allowedUserIds: ["1"] },
  suspended: [],
  secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1 },
}

export const clusterContract = (name: string, layer: Layer.Layer<Cluster, unknown>, options: ContractOptions) =>
  describe(`Cluster on ${name}`, () => {
    let count = 0
    /** A test in a namespace of its own. */
    const test = <E>(
      title: string,
      body: (cluster: Cluster["Service"], namespace: string) => Effect.Effect<void, E>,
      labels: Readonly<Record<string, string>> = {},
    ): void => {
      const namespace = `contract-${++count}-${process.pid}`
      it.live(
        title,
        () =>
          Effect.gen(function* () {
            const cluster = yield* Cluster
            yield* cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } })
            yield* body(cluster, namespace).pipe(
              Effect.ensuring(cluster.remove({ kind: "Namespace", name: namespace }).pipe(Effect.ignore)),
            )
          }).pipe(Effect.provide(layer)),
        120_000,
      )
    }

    /** Asks again until it holds, for at most 90 s. */
    const eventually = <A, E>(check: Effect.Effect<A | undefined, E>): Effect.Effect<A, E> =>
      check.pipe(
        Effect.repeat({ schedule: Schedule.spaced("50 millis"), until: (found) => found !== undefined, times: 1_800 }),
        Effect.map((found) => {
          assert.isDefined(found)
          return found
        }),
      )

    const gone = (cluster: Cluster["Service"], ref: Ref) =>
      eventually(Effect.map(cluster.get(ref), (found) => (Option.isNone(found) ? true : undefined)))

    test("stores nothing when the same is applied again", (cluster, namespace) =>
      Effect.gen(function* () {
        const first = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
        const second = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
        assert.strictEqual(second.metadata.resourceVersion, first.metadata.resourceVersion)
        assert.strictEqual(second.metadata.uid, first.metadata.uid)
      }))

    test("keeps every rule of a NetworkPolicy", (cluster, namespace) =>
      Effect.gen(function* () {
        const built = networkPolicy(CustomerId.make("a"), embedded)
        const policy = { ...built, metadata: { name: "wall", namespace } }
        yield* cluster.apply(policy)
        const stored = yield* cluster.get({ kind: "NetworkPolicy", namespace, name: "wall" })
        assert.deepStrictEqual(at(Option.getOrThrow(stored), "spec"), built.spec)
      }))

    test("refuses another manager's field, unless forced, which takes it over", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
        const other = { manager: "someone-else", force: false }
        const refused = yield* Effect.result(cluster.apply(configMap(namespace, "a", { x: "2" }), other))
        assert.strictEqual(Result.isFailure(refused) ? refused.failure._tag : "stored", "Conflict")
        const same = yield* cluster.apply(configMap(namespace, "a", { x: "1" }), other)
        assert.strictEqual(at(same, "data", "x"), "1")
        yield* cluster.apply(configMap(namespace, "a", { x: "3" }), { manager: "someone-else" })
        const back = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
        assert.strictEqual(at(back, "data", "x"), "1")
      }))

    test("drops a field that its only owner no longer sets, and keeps what others own", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(configMap(namespace, "a", { mine: "1", shared: "1" }))
        yield* cluster.apply(configMap(namespace, "a", { shared: "1", theirs: "1" }), { manager: "someone-else" })
        const stored = yield* cluster.apply(configMap(namespace, "a", {}))
        assert.deepStrictEqual(stored.data, { shared: "1", theirs: "1" })
      }))

    test("changes an object only at the version that was named", (cluster, namespace) =>
      Effect.gen(function* () {
        const first = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
        const { resourceVersion } = first.metadata
        yield* cluster.apply(configMap(namespace, "a", { x: "2" }, { resourceVersion }))
        const stale = yield* Effect.result(cluster.apply(configMap(namespace, "a", { x: "3" }, { resourceVersion })))
        assert.strictEqual(Result.isFailure(stale) ? stale.failure._tag : "stored", "Conflict")
        const merged = yield* Effect.result(
          cluster.merge(refOfMap(namespace, "a"), { metadata: { resourceVersion }, data: { x: "4" } }),
        )
        assert.strictEqual(Result.isFailure(merged) ? merged.failure._tag : "stored", "Conflict")
        assert.strictEqual(at(Option.getOrThrow(yield* cluster.get(refOfMap(namespace, "a"))), "data", "x"), "2")
      }))

    test("merges a patch: null removes, the rest replaces", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(configMap(namespace, "a", { x: "1", y: "1" }))
        const merged = yield* cluster.merge(refOfMap(namespace, "a"), { data: { x: null, y: "2" } })
        assert.deepStrictEqual(merged.data, { y: "2" })
      }))

    test("refuses what a quota does not leave room for", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply({
          apiVersion: "v1",
          kind: "ResourceQuota",
          metadata: { name: "q", namespace },
          spec: { hard: { services: "0" } },
        })
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
        const nowhere = yield* Effect.result(cluster.apply(configMap(`${namespace}-not`, "a", {})))
        assert.strictEqual(Result.isFailure(nowhere) ? nowhere.failure._tag : "stored", "NotFound")
        assert.isTrue(Option.isNone(yield* cluster.get(refOfMap(namespace, "none"))))
        const removed = yield* Effect.result(cluster.remove(refOfMap(namespace, "none")))
        assert.strictEqual(Result.isFailure(removed) ? removed.failure._tag : "removed", "NotFound")
      }))

    test("removes only the very object that was named", (cluster, namespace) =>
      Effect.gen(function* () {
        const stored = yield* cluster.apply(configMap(namespace, "a", {}))
        const other = yield* Effect.result(
          cluster.remove(refOfMap(namespace, "a"), { uid: "00000000-0000-4000-8000-ffffffffffff" }),
        )
        assert.strictEqual(Result.isFailure(other) ? other.failure._tag : "removed", "Conflict")
        yield* cluster.remove(refOfMap(namespace, "a"), { uid: stored.metadata.uid })
        yield* gone(cluster, refOfMap(namespace, "a"))
      }))

    test("keeps a deleted object until its finalizers are dropped", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(configMap(namespace, "a", {}, { finalizers: ["contract.test/hold"] }))
        yield* cluster.remove(refOfMap(namespace, "a"))
        const held = Option.getOrThrow(yield* cluster.get(refOfMap(namespace, "a")))
        assert.isDefined(held.metadata.deletionTimestamp)
        yield* cluster.apply(configMap(namespace, "a", {}))
        yield* gone(cluster, refOfMap(namespace, "a"))
      }))

    test("collects what a deleted object owned", (cluster, namespace) =>
      Effect.gen(function* () {
        const owner = yield* cluster.apply(configMap(namespace, "owner", {}))
        const reference = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid }
        yield* cluster.apply(configMap(namespace, "owned", {}, { ownerReferences: [reference] }))
        yield* cluster.remove(refOfMap(namespace, "owner"))
        yield* gone(cluster, refOfMap(namespace, "owned"))
      }))

    test("deletes a namespace with all that is in it, and takes nothing in meanwhile", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(configMap(namespace, "a", {}, { finalizers: ["contract.test/hold"] }))
        yield* cluster.remove({ kind: "Namespace", name: namespace })
        const late = yield* Effect.result(cluster.apply(configMap(namespace, "late", {})))
        assert.isTrue(
          Result.isFailure(late) && late.failure._tag === "Refused" && late.failure.reason === "Terminating",
        )
        yield* eventually(
          Effect.map(cluster.get(refOfMap(namespace, "a")), (found) =>
            Option.isSome(found) && found.value.metadata.deletionTimestamp !== undefined ? true : undefined,
          ),
        )
        yield* cluster.apply(configMap(namespace, "a", {}))
        yield* gone(cluster, { kind: "Namespace", name: namespace })
        assert.isTrue(Option.isNone(yield* cluster.get(refOfMap(namespace, "a"))))
      }))

    test("lists by label, and tells every later change in order, also those before the watch began", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(configMap(namespace, "before", {}))
        const selector = { labels: { "contract.test/of": namespace } }
        const listed = yield* cluster.list("ConfigMap", selector)
        assert.deepStrictEqual(
          listed.items.map((item) => item.metadata.name),
          ["before"],
        )
        assert.deepStrictEqual([listed.items[0]?.kind, listed.items[0]?.apiVersion], ["ConfigMap", "v1"])
        yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
        const seen = yield* cluster
          .watch("ConfigMap", selector, listed.resourceVersion)
          .pipe(Stream.take(3), Stream.runCollect, Effect.forkChild)
        yield* cluster.apply(configMap(namespace, "a", { x: "2" }))
        yield* cluster.remove(refOfMap(namespace, "a"))
        const events = yield* Fiber.join(seen)
        assert.deepStrictEqual(
          [...events].map(({ type, object }) => [type, object.metadata.name, at(object, "data", "x")]),
          [
            ["ADDED", "a", "1"],
            ["MODIFIED", "a", "2"],
            ["DELETED", "a", "2"],
          ],
        )
      }))

    test("keeps an Agent's status and spec apart", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(agentCrd)
        const id = CustomerId.make(namespace)
        const ref = { kind: "Agent", name: id }
        const written = yield* Effect.retry(cluster.apply(agentManifest(id, spec)), {
          schedule: Schedule.spaced("100 millis"),
          times: 100,
        })
        const status = { phase: "active", observedGeneration: 1, conditions: [], steps: [], seq: 1, reports: [] }
        const patched = yield* cluster.patchStatus(id, status)
        assert.deepStrictEqual(patched.spec, written.spec)
        const again = yield* cluster.apply(agentManifest(id, { ...spec, generation: 2 }))
        assert.deepStrictEqual(again.status, status)
        yield* cluster.remove(ref)
        yield* cluster.apply(agentManifest(id, { ...spec, generation: 2 }, { finalized: false }))
        yield* gone(cluster, ref)
      }))

    if (options.pods)
      test("runs as many pods as a Deployment asks for, and replaces them when its template changes", (cluster, namespace) =>
        Effect.gen(function* () {
          const ready = (version: string) =>
            eventually(
              Effect.map(cluster.list("Pod", { namespace }), ({ items }) => {
                const [pod, ...others] = items
                const conditions = (at(pod, "status", "conditions") ?? []) as ReadonlyArray<unknown>
                const isReady = conditions.some((one) => at(one, "type") === "Ready" && at(one, "status") === "True")
                return others.length === 0 && isReady && pod?.metadata.annotations?.version === version
                  ? pod
                  : undefined
              }),
            )
          yield* cluster.apply(deployment(namespace, 1, "1"))
          const first = yield* ready("1")
          yield* cluster.apply(deployment(namespace, 1, "2"))
          const second = yield* ready("2")
          assert.notStrictEqual(second.metadata.uid, first.metadata.uid)
          yield* cluster.apply(deployment(namespace, 0, "2"))
          yield* eventually(
            Effect.map(cluster.list("Pod", { namespace }), ({ items }) => (items.length === 0 ? true : undefined)),
          )
        }))
  })
