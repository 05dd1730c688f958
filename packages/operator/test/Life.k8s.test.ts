/**
 * The operator's whole life on a real API server with exactly the rights that are shipped, seen from outside: they suffice
 * for all of it, and none of them is more than it needs.
 */
import { AgentEvents } from "@berth/domain/AgentEvents"
import { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import { Opener, Sealer } from "@berth/domain/Seal"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Cluster } from "../src/Cluster.ts"
import { Lead } from "../src/Lead.ts"
import * as Operator from "../src/Operator.ts"
import { at, type Manifest } from "../src/Manifest.ts"
import { recordsNamespace } from "../src/Records.ts"
import { Settings } from "../src/Settings.ts"
import { ControlPlane } from "./cluster/ControlPlane.ts"
import { apiRelay, type Seen } from "./live/ApiRelay.ts"
import { clusterOf, exporterEnds, exporterRuns, operatorAccount, prepare, settles } from "./RealCluster.ts"
import { configured, exporting, identity, pushJob, recipient, unasked, written } from "./World.ts"

/** What one request needs to be allowed: `patch apps/deployments in customers`, and so on. */
const needsOf = ({ method, status, url }: Seen): ReadonlyArray<string> => {
  const { pathname, searchParams } = new URL(url, "https://server")
  const [, group = "", namespace, rest = ""] =
    /^\/(?:api|apis\/([^/]+))\/[^/]+(?:\/namespaces\/([^/]+)(?=\/))?\/(.+)$/.exec(pathname) ?? []
  const [resource = "", name, subresource] = rest.split("/")
  const what = `${group}/${resource}${subresource === undefined ? "" : `/${subresource}`}`
  const where =
    namespace === undefined ? "everywhere" : namespace.startsWith("customer-") ? "customers" : `${namespace}`
  const verbs =
    method === "GET"
      ? [name !== undefined ? "get" : searchParams.get("watch") === "true" ? "watch" : "list"]
      : method === "DELETE"
        ? ["delete"]
        : // An apply that makes the object needs the right to create it too.
          status === 201
          ? ["patch", "create"]
          : ["patch"]
  return verbs.map((verb) => `${verb} ${what} in ${where}`)
}

const items: ReadonlyArray<Manifest> = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../kubenix/rbac/operator.json"), "utf8"),
).items

/** Every single right that the file gives. */
const granted = items.flatMap((item) => {
  if (item.kind !== "ClusterRole" && item.kind !== "Role") return []
  const where =
    item.kind === "Role"
      ? String(item.metadata.namespace)
      : item.metadata.name === "berth-operator-tenant"
        ? "customers"
        : "everywhere"
  return (item.rules as ReadonlyArray<unknown>).flatMap((rule) =>
    (at(rule, "apiGroups") as ReadonlyArray<string>).flatMap((group) =>
      (at(rule, "resources") as ReadonlyArray<string>).flatMap((resource) =>
        (at(rule, "verbs") as ReadonlyArray<string>).map((verb) => `${verb} ${group}/${resource} in ${where}`),
      ),
    ),
  )
})

/** Used, but not by a request to the API server of its own. */
const otherwise = new Set([
  // Asked for by the API server when the operator writes its RoleBinding.
  "bind rbac.authorization.k8s.io/clusterroles in everywhere",
  // Asked for by a node's kubelet, to which the operator talks itself (the tests of the real node).
  "get /nodes/stats in everywhere",
])

/** A right everywhere is one in each namespace too. */
const covers = (right: string, need: string): boolean =>
  right === need || right === need.replace(/ in .*$/, " in everywhere")

const world = Layer.mergeAll(
  JobQueue.layerMemory,
  AgentEvents.layerMemory,
  Sealer.layer(recipient),
  Opener.layer(Redacted.make(identity)),
  Settings.layerOf(),
  exporting(),
  unasked,
  configured,
)

describe("the rights of the operator", () => {
  it.live(
    "suffice for its whole life, and not one of them is superfluous",
    () =>
      Effect.gen(function* () {
        const plane = yield* ControlPlane.make({ nodes: 1, jobs: "run" })
        yield* prepare(plane)
        const relay = yield* apiRelay(plane, yield* plane.kubeconfig(operatorAccount))
        const live = yield* Layer.build(clusterOf(relay.kubeconfig))
        const context = Context.add(live, ControlPlane, plane)
        const lead = yield* Layer.build(
          Lead.layerLease(recordsNamespace).pipe(Layer.provide(Layer.succeedContext(live))),
        )
        const services = yield* Layer.build(world)
        /** An operator that begins with nothing but what the cluster holds, and ends after this. */
        const underAnOperator = <A, E, R>(life: Effect.Effect<A, E, R>) =>
          life.pipe(
            Effect.provide(Layer.fresh(Operator.layer)),
            Effect.provideContext(Context.mergeAll(context, lead, services)),
          )
        const ada = CustomerId.make("ada")
        const root = "/api/v1/namespaces/customer-ada"
        const agents = "/apis/berth.dev/v1alpha1/agents/ada"

        const first = Effect.gen(function* () {
          yield* pushJob({ customerId: ada })
          yield* settles(ada, "active")
          yield* pushJob({ customerId: ada, generation: 2, reason: "update", desired: { tier: "team" } })
          yield* settles(ada, "active", 2)
          yield* pushJob({ customerId: ada, generation: 3, reason: "suspend", desired: { suspended: ["payment"] } })
          yield* settles(ada, "suspended", 3)
          yield* pushJob({ customerId: ada, generation: 4, reason: "resume" })
          yield* settles(ada, "active", 4)
          // What people break: an object, the Agent, the namespace with the volume's claim in it.
          const service = `${root}/services/openclaw`
          const selector = (yield* plane.api.get(service)).spec.selector
          yield* plane.api.merge(service, { spec: { selector: { "app.kubernetes.io/name": "nothing" } } })
          yield* plane.api.until(service, (one) => JSON.stringify(one?.spec.selector) === JSON.stringify(selector))
          const { uid } = (yield* plane.api.get(agents)).metadata
          yield* plane.api.remove(agents)
          yield* plane.api.until(agents, (one) => one !== undefined && one.metadata.uid !== uid)
          const before = (yield* plane.api.get(root)).metadata.uid
          yield* plane.api.remove(root)
          yield* plane.api.until(root, (one) => one !== undefined && one.metadata.uid !== before)
          yield* settles(ada, "active", 4)
        })
        const second = Effect.gen(function* () {
          // Whoever takes over reads what it has not compared itself.
          yield* Effect.sync(() => relay.seen.flatMap(needsOf)).pipe(
            Effect.repeat({
              until: (needs) => needs.includes("get networking.k8s.io/networkpolicies in customers"),
              schedule: Schedule.spaced("100 millis"),
              times: 300,
            }),
          )
          // The kind itself.
          const kind = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/agents.berth.dev"
          const old = (yield* plane.api.get(kind)).metadata.uid
          yield* plane.api.remove(kind)
          yield* plane.api.until(kind, (one) => one !== undefined && one.metadata.uid !== old)
          yield* settles(ada, "active", 4)
          // Its log, which no fake node has: what counts is that the API server lets it through to the node.
          const pods = (yield* plane.api.get(`${root}/pods`)).items
          yield* Cluster.use((cluster) =>
            cluster.logs(
              { namespace: "customer-ada", name: pods[0].metadata.name },
              { container: "openclaw", lines: 1, previous: false },
            ),
          ).pipe(Effect.ignore)
          // The end, called off once, then with its export, whose pod this test plays.
          const deprovision = (generation: number) =>
            pushJob({
              customerId: ada,
              generation,
              reason: "deprovision",
              desired: { deletion: { confirmedGeneration: generation } },
            })
          yield* deprovision(5)
          yield* exporterRuns(ada, 5)
          yield* pushJob({ customerId: ada, generation: 6, reason: "resume" })
          yield* settles(ada, "active", 6)
          yield* deprovision(7)
          yield* exporterEnds(ada, 7, { _tag: "Written", ...written })
          yield* plane.api.until(agents, (one) => one === undefined, 90)
          yield* plane.api.until(root, (one) => one === undefined)
        })
        yield* underAnOperator(first)
        yield* underAnOperator(second)

        const used = new Set(relay.seen.filter(({ status }) => status < 300 || status >= 404).flatMap(needsOf))
        const refused = relay.seen.filter(({ status }) => status === 403).flatMap(needsOf)
        // Right after its binding was made, and while an API server starts, a right is not there yet; later it is.
        assert.deepStrictEqual(
          refused.filter((need) => !granted.some((right) => covers(right, need))),
          [],
          "asked for what no right is given to",
        )
        assert.deepStrictEqual(
          granted.filter((right) => !otherwise.has(right) && ![...used].some((need) => covers(right, need))),
          [],
          "given and never used",
        )
      }).pipe(Effect.scoped),
    240_000,
  )
})
