/** The operator on a real kube-apiserver, by its own rights. */
import { assert, layer } from "@effect/vitest"
import type { AgentEvent } from "@berth/domain/AgentEvents"
import { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { desired } from "../src/desired/Objects.ts"
import { objectPath } from "../src/Kinds.ts"
import { differenceFrom, refOf, type Stored } from "../src/Manifest.ts"
import * as Operator from "../src/Operator.ts"
import { Reconciler } from "../src/Reconciler.ts"
import { embedded } from "../src/Settings.ts"
import { ControlPlane } from "./cluster/ControlPlane.ts"
import { agentPath, realWorld, settles, told } from "./RealCluster.ts"
import { desiredState, pushJob, secrets } from "./World.ts"

const id = (name: string) => CustomerId.make(name)
const spec = { ...desiredState, generation: 1 }

/** Every object of a customer's, as it stands. */
const objectsOf = Effect.fn(function* (customerId: CustomerId) {
  const { api } = yield* ControlPlane
  return yield* Effect.forEach(desired({ customerId, spec }, secrets, embedded), ({ object }) =>
    Effect.map(api.get(objectPath(refOf(object))), (stored: Stored | undefined) => ({ object, stored })),
  )
})

/** Requests that the operator sent so far which are no mere reads; by kind. */
const writes = Effect.map(Metric.snapshot, (metrics) => {
  const counts = new Map<string, number>()
  for (const metric of metrics) {
    if (metric.id !== "berth_operator_api_requests_total" || metric.type !== "Counter") continue
    const { verb, kind } = metric.attributes ?? {}
    if (verb === "GET" || verb === "WATCH") continue
    const name = `${verb} ${kind}`
    counts.set(name, (counts.get(name) ?? 0) + Number(metric.state.count))
  }
  return counts
})

layer(Operator.layer.pipe(Layer.provideMerge(realWorld())), { excludeTestServices: true, timeout: 120_000 })(
  "the operator on a real apiserver",
  (it) => {
    it.effect("makes of a job an Agent and all its objects, as they are meant, and tells every step once", () =>
      Effect.gen(function* () {
        const ada = id("ada")
        yield* pushJob({ customerId: ada })
        yield* settles(ada, "active")
        for (const { object, stored } of yield* objectsOf(ada)) {
          assert.isDefined(stored, `${object.kind} stands`)
          if (stored !== undefined) assert.isUndefined(differenceFrom(object, stored), object.kind)
        }
        const seen = new Map<number, AgentEvent>()
        const tags = (yield* told(ada, seen)).map((event) => (event._tag === "step" ? event.step : event._tag))
        assert.deepStrictEqual(tags, [
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
        ])
      }),
    )

    it.effect("sends nothing but reads when it looks at unchanged agents again", () =>
      Effect.gen(function* () {
        const bob = id("bob")
        yield* pushJob({ customerId: bob })
        yield* settles(bob, "active")
        const reconciler = yield* Reconciler
        yield* Effect.sleep("2 seconds")
        const versions = Effect.map(objectsOf(bob), (all) =>
          all
            .filter(({ object }) => object.kind !== "Deployment")
            .map(({ stored }) => stored?.metadata.resourceVersion),
        )
        const { api } = yield* ControlPlane
        const agent = yield* api.get(agentPath(bob))
        const before = { writes: yield* writes, versions: yield* versions }
        for (let times = 0; times < 3; times++) {
          yield* reconciler.look(bob, { report: true, lane: "resync" })
          yield* Effect.sleep("500 millis")
        }
        assert.deepStrictEqual(yield* writes, before.writes)
        assert.deepStrictEqual(yield* versions, before.versions)
        assert.strictEqual((yield* api.get(agentPath(bob))).metadata.resourceVersion, agent.metadata.resourceVersion)
      }),
    )

    it.effect("follows changes: tier, suspension, restart, another token; each once, and the volume stays", () =>
      Effect.gen(function* () {
        const cleo = id("cleo")
        const { api } = yield* ControlPlane
        const root = "/api/v1/namespaces/customer-cleo"
        const pods = Effect.map(api.get(`${root}/pods`), (list): ReadonlyArray<string> =>
          list.items
            .filter((pod: Stored) => pod.metadata.deletionTimestamp === undefined)
            .map((pod: Stored) => pod.metadata.uid),
        )
        const volume = Effect.map(
          api.get(`${root}/persistentvolumeclaims/openclaw-data`),
          (claim): string => claim.spec.volumeName,
        )
        yield* pushJob({ customerId: cleo, desired: { tier: "starter" } })
        yield* settles(cleo, "active")
        const [first, kept] = [yield* pods, yield* volume]
        assert.strictEqual(first.length, 1)

        yield* pushJob({ customerId: cleo, generation: 2, reason: "update", desired: { tier: "team" } })
        yield* settles(cleo, "active", 2)
        const quota = yield* api.get(`${root}/resourcequotas/openclaw`)
        assert.strictEqual(quota.spec.hard["limits.memory"], "8Gi")
        const second = yield* pods
        assert.strictEqual(second.length, 1)
        assert.notDeepEqual(second, first)

        yield* pushJob({
          customerId: cleo,
          generation: 3,
          reason: "suspend",
          desired: { tier: "team", suspended: ["payment"] },
        })
        yield* settles(cleo, "suspended", 3)
        assert.deepStrictEqual(yield* pods, [])
        yield* pushJob({ customerId: cleo, generation: 4, reason: "resume", desired: { tier: "team" } })
        yield* settles(cleo, "active", 4)
        const third = yield* pods

        const rotated = { proxyToken: 2, botToken: 1, gatewayToken: 1 }
        yield* pushJob({
          customerId: cleo,
          generation: 5,
          reason: "restart",
          desired: { tier: "team", restartedAt: 5 },
        })
        yield* settles(cleo, "active", 5)
        const fourth = yield* pods
        assert.notDeepEqual(fourth, third)
        // The same value sealed anew is the same token: nothing restarts.
        yield* pushJob({
          customerId: cleo,
          generation: 6,
          reason: "rotate",
          desired: { tier: "team", restartedAt: 5, secrets: rotated },
        })
        yield* settles(cleo, "active", 6)
        assert.deepStrictEqual(yield* pods, fourth)
        // Another token takes another pod, which is the one that is told of.
        yield* pushJob({
          customerId: cleo,
          generation: 7,
          reason: "rotate",
          desired: { tier: "team", restartedAt: 5, secrets: { ...rotated, proxyToken: 3 } },
          values: { proxyToken: "bth_another" },
        })
        yield* settles(cleo, "active", 7)
        const fifth = yield* pods
        assert.strictEqual(fifth.length, 1)
        assert.notDeepEqual(fifth, fourth)
        assert.strictEqual(yield* volume, kept)
      }),
    )

    it.effect("puts back what was changed or deleted by hand, told by a watch alone", () =>
      Effect.gen(function* () {
        const dora = id("dora")
        const { api } = yield* ControlPlane
        yield* pushJob({ customerId: dora })
        yield* settles(dora, "active")
        const policy = "/apis/networking.k8s.io/v1/namespaces/customer-dora/networkpolicies/openclaw"
        const meant = (yield* api.get(policy)).spec
        yield* api.merge(policy, { spec: { egress: [{}] } })
        yield* api.until(policy, (one) => JSON.stringify(one?.spec) === JSON.stringify(meant), 15)
        const service = "/api/v1/namespaces/customer-dora/services/openclaw"
        const old = yield* api.get(service)
        yield* api.remove(service)
        yield* api.until(service, (one) => one !== undefined && one.metadata.uid !== old.metadata.uid, 15)
        // They are written beside the repair, so that they may come a moment after it.
        yield* api.until(
          "/api/v1/namespaces/customer-dora/events",
          (list) => {
            const repaired = (list?.items ?? [])
              .filter(({ reason }: { readonly reason: string }) => reason === "DriftRepaired")
              .map((event: { readonly involvedObject: { readonly kind: string } }) => event.involvedObject.kind)
            return ["NetworkPolicy", "Service"].every((kind) => repaired.includes(kind))
          },
          15,
        )
      }),
    )

    it.effect("writes an Agent again that was deleted by hand, in the foreground too, and its pod never stops", () =>
      Effect.gen(function* () {
        const emma = id("emma")
        const plane = yield* ControlPlane
        yield* pushJob({ customerId: emma })
        const first = yield* settles(emma, "active")
        const pods = Effect.map(plane.api.get("/api/v1/namespaces/customer-emma/pods"), (list) =>
          list.items.map((pod: Stored) => pod.metadata.uid),
        )
        const before = yield* pods
        yield* plane.kubectl(["delete", "agent", "emma", "--cascade=foreground", "--wait=false"])
        yield* plane.api.until(
          agentPath(emma),
          (agent) => agent !== undefined && agent.metadata.uid !== first.metadata.uid,
          30,
        )
        const again = yield* settles(emma, "active")
        assert.deepStrictEqual(again.spec, first.spec)
        assert.deepStrictEqual(yield* pods, before)
        assert.isTrue(again.status.conditions.some(({ type }: { type: string }) => type === "DeletionBlocked"))
      }),
    )

    it.effect("builds a namespace again that was deleted by hand, and binds the same volume", () =>
      Effect.gen(function* () {
        const fred = id("fred")
        const { api } = yield* ControlPlane
        const root = "/api/v1/namespaces/customer-fred"
        yield* pushJob({ customerId: fred })
        yield* settles(fred, "active")
        const old = yield* api.get(root)
        const claim = `${root}/persistentvolumeclaims/openclaw-data`
        const volume = (yield* api.get(claim)).spec.volumeName
        yield* api.remove(root)
        yield* api.until(root, (one) => one !== undefined && one.metadata.uid !== old.metadata.uid, 60)
        yield* api.until(claim, (one) => one?.status?.phase === "Bound" && one.spec.volumeName === volume, 60)
        yield* api.until(
          `${root.replace("/api/v1", "/apis/apps/v1")}/deployments/openclaw`,
          (one) => one?.status?.readyReplicas === 1,
          60,
        )
        yield* settles(fred, "active")
      }),
    )

    it.effect("with another operator that also believes it leads ends as one would, and tells each thing once", () =>
      Effect.gen(function* () {
        yield* Layer.build(Layer.fresh(Operator.layer))
        const gwen = id("gwen")
        const seen = new Map<number, AgentEvent>()
        yield* pushJob({ customerId: gwen })
        yield* settles(gwen, "active")
        yield* pushJob({ customerId: gwen, generation: 2, reason: "update", desired: { tier: "team" } })
        yield* settles(gwen, "active", 2)
        yield* Effect.sleep("2 seconds")
        const tags = (yield* told(gwen, seen)).map((event) =>
          event._tag === "step" ? event.step : `${event._tag} ${event.generation}`,
        )
        assert.deepStrictEqual([...new Set(tags)], tags)
        assert.deepStrictEqual(tags.slice(-2), ["active 1", "active 2"])
        const { api } = yield* ControlPlane
        const pods = yield* api.get("/api/v1/namespaces/customer-gwen/pods")
        assert.strictEqual(pods.items.length, 1)
      }).pipe(Effect.scoped),
    )

    it.effect("goes on after the apiserver died, and hears at once of what is changed from then on", () =>
      Effect.gen(function* () {
        const hana = id("hana")
        const plane = yield* ControlPlane
        yield* pushJob({ customerId: hana })
        yield* settles(hana, "active")
        yield* plane.kill("kube-apiserver")
        assert.isFalse(yield* Operator.ready)
        // A job that comes meanwhile waits.
        yield* pushJob({ customerId: id("ivan") })
        yield* plane.start("kube-apiserver")
        yield* settles(id("ivan"), "active")
        assert.isTrue(yield* Operator.ready)
        const policy = "/apis/networking.k8s.io/v1/namespaces/customer-hana/networkpolicies/openclaw"
        const meant = (yield* plane.api.get(policy)).spec
        yield* plane.api.merge(policy, { spec: { egress: [{}] } })
        yield* plane.api.until(policy, (one) => JSON.stringify(one?.spec) === JSON.stringify(meant), 15)
      }),
    )

    it.effect("puts back the kind itself and every Agent with it, and no pod stops", () =>
      Effect.gen(function* () {
        const plane = yield* ControlPlane
        const jack = id("jack")
        yield* pushJob({ customerId: jack })
        const first = yield* settles(jack, "active")
        const pods = Effect.map(plane.api.get("/api/v1/namespaces/customer-jack/pods"), (list) =>
          list.items.map((pod: Stored) => pod.metadata.uid),
        )
        const before = yield* pods
        const kind = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/agents.berth.dev"
        const old = yield* plane.api.get(kind)
        yield* plane.api.remove(kind)
        yield* plane.api.until(kind, (one) => one !== undefined && one.metadata.uid !== old.metadata.uid, 60)
        yield* plane.api.until(
          agentPath(jack),
          (agent) => agent?.status?.phase === "active" && agent.metadata.uid !== first.metadata.uid,
          60,
        )
        assert.deepStrictEqual(yield* pods, before)
      }),
    )
  },
)
