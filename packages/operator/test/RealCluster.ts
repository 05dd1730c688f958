/**
 * A control plane of a real Kubernetes as production prepares it for the operator (kind, namespaces, rights, all from the
 * files that are shipped), and the operator on it with no more rights than its own. For tests in real time.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type AgentEvent, AgentEvents } from "@berth/domain/AgentEvents"
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import { Opener, Sealer } from "@berth/domain/Seal"
import { KubeConfig } from "@kubernetes/client-node"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type { Cluster } from "../src/Cluster.ts"
import type { Outcome } from "../src/export/Outcome.ts"
import { Lead } from "../src/Lead.ts"
import { layerOf } from "../src/live/ClusterKubernetes.ts"
import { Settings } from "../src/Settings.ts"
import { ControlPlane, type ControlPlaneOptions } from "./cluster/ControlPlane.ts"
import { configured, exporting, identity, recipient, unasked } from "./World.ts"

const shipped = (file: string): string => readFileSync(join(import.meta.dirname, "../../../kubenix", file), "utf8")

const namespace = (name: string) => ({ apiVersion: "v1", kind: "Namespace", metadata: { name } })

/** Applies what an installation of Berth applies before its operator starts. */
export const prepare = Effect.fn(function* (plane: ControlPlane["Service"]) {
  const apply = (manifests: string) => plane.kubectl(["apply", "--server-side", "--filename=-"], manifests)
  yield* apply(shipped("crds/agents.json"))
  for (const name of ["platform", "berth-agents"]) yield* apply(JSON.stringify(namespace(name)))
  yield* apply(shipped("rbac/operator.json"))
  yield* plane.kubectl(["wait", "--for=condition=Established", "crd/agents.berth.dev", "--timeout=30s"])
})

/** The operator's own ServiceAccount, which is also whom the RoleBindings in customers' namespaces name. */
export const operatorAccount = { serviceAccount: { namespace: "platform", name: "operator" } } as const

export const clusterOf = (kubeconfig: string): Layer.Layer<Cluster> => {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  return layerOf(config)
}

/** Everything that outlives an operator process, on a control plane of its own. `Cluster` has the operator's rights alone. */
export const realWorld = (options: ControlPlaneOptions = {}) =>
  Layer.effectContext(
    Effect.gen(function* () {
      const plane = yield* ControlPlane.make({ nodes: 1, ...options })
      yield* prepare(plane)
      const cluster = yield* Layer.build(clusterOf(yield* plane.kubeconfig(operatorAccount)))
      return Context.add(cluster, ControlPlane, plane)
    }),
  ).pipe(
    Layer.provideMerge(
      Layer.mergeAll(
        JobQueue.layerMemory,
        AgentEvents.layerMemory,
        Sealer.layer(recipient),
        Opener.layer(Redacted.make(identity)),
        Settings.layerOf(),
        exporting(),
        unasked,
        Lead.layerMemory,
        configured,
      ),
    ),
  )

export const agentPath = (customerId: CustomerId) => `/apis/berth.dev/v1alpha1/agents/${customerId}`

/** Waits until the Agent stands for the generation in the phase; as the administrator sees it. */
export const settles = Effect.fn(function* (customerId: CustomerId, phase: string, generation = 1, seconds = 60) {
  const { api } = yield* ControlPlane
  return yield* api.until(
    agentPath(customerId),
    (agent) => agent?.status?.phase === phase && agent.status.observedGeneration === generation,
    seconds,
  )
})

/** The pod of the first export for a deletion, once it runs. */
export const exporterRuns = Effect.fn(function* (customerId: CustomerId, generation: number) {
  const { api } = yield* ControlPlane
  const labels = `berth.dev/export-generation=${generation},berth.dev/export-attempt=1`
  const its = `/api/v1/namespaces/${namespaceOf(customerId)}/pods?labelSelector=${labels}`
  return (yield* api.until(its, (list) => list?.items?.[0]?.status?.phase === "Running")).items[0]
})

/** Ends that pod as an exporter with this last word ends; gives the pod as it ran. */
export const exporterEnds = Effect.fn(function* (customerId: CustomerId, generation: number, outcome: Outcome) {
  const { api } = yield* ControlPlane
  const pod = yield* exporterRuns(customerId, generation)
  const terminated = {
    exitCode: outcome._tag === "Written" ? 0 : 1,
    reason: outcome._tag === "Written" ? "Completed" : "Error",
    message: JSON.stringify(outcome),
    startedAt: "2026-11-30T00:00:00Z",
    finishedAt: "2026-11-30T00:00:01Z",
  }
  const [container] = pod.status.containerStatuses
  yield* api.merge(`/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}/status`, {
    status: {
      phase: outcome._tag === "Written" ? "Succeeded" : "Failed",
      containerStatuses: [{ ...container, ready: false, started: false, state: { terminated } }],
    },
  })
  return pod
})

/** What was reported of a customer since the last call, as a consumer that ignores repeats sees it. */
export const told = Effect.fn(function* (customerId: CustomerId, seen: Map<number, AgentEvent>) {
  const events = yield* AgentEvents
  for (;;) {
    const batch = yield* events.take(100)
    if (batch.length === 0) break
    yield* events.acknowledge(batch.map(({ id }) => id))
    for (const { event } of batch) seen.set(event.seq, event)
  }
  return [...seen.values()].filter((event) => event.customerId === customerId && event._tag !== "resync")
})
