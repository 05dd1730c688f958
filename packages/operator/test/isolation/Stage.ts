/**
 * The stage for tests of isolation: two customers whose agents the real operator made, as a pod with its own rights, and
 * everything around them that a customer must not reach, each of it answering.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { berthImage } from "../cluster/images/Berth.ts"
import { standInImage } from "../cluster/images/StandIn.ts"
import { probeBinary, probeImage } from "../cluster/images/Static.ts"
import * as Addresses from "../cluster/node/Addresses.ts"
import { realNode } from "../cluster/Shared.ts"
import { RealNode } from "../cluster/RealNode.ts"
import * as Platform from "../platform/Platform.ts"
import type { PodRef } from "../platform/Probe.ts"
import { type Tenant, tenant } from "../platform/Tenants.ts"
import * as Places from "./Places.ts"
import type { World } from "./Rules.ts"

/** The customer's own container, which is the operator's to the last field but for what the image holds. */
export const containerOf = ({ namespace }: Tenant): PodRef => ({
  namespace,
  pod: "deploy/openclaw",
  container: "openclaw",
  probe: "/usr/bin/probe",
})

const podPath = (namespace: string, name: string) => `/api/v1/namespaces/${namespace}/pods/${name}`
const servicePath = (namespace: string, name: string) => `/api/v1/namespaces/${namespace}/services/${name}`

const make = Effect.gen(function* () {
  const node = yield* RealNode
  const { api } = node
  const [probe, standIn, berth] = yield* Effect.all([probeImage, standInImage, berthImage])
  for (const { tar } of [probe, standIn, berth]) yield* node.importImage(tar)

  yield* node.runs("outside", {
    command: yield* probeBinary,
    args: ["serve", JSON.stringify(Places.outsideServer)],
    network: Addresses.networkFile(Addresses.outsideNetwork),
  })

  const platform = yield* Platform.make(node, Addresses.hostAddress)
  yield* platform.apply(Places.places(probe.ref, standIn.ref))
  const operator = { image: berth.ref, openclaw: standIn.ref, env: { CLUSTER_RANGES: `${Places.outside.own}/32` } }
  yield* platform.operator(operator)

  const [ada, bob] = [tenant("ada"), tenant("bob")]
  for (const one of [ada, bob]) yield* platform.order(one, { generation: 1 })
  for (const one of [ada, bob]) yield* platform.reaches(one, "active", 1)

  const addressOf = (namespace: string, name: string) =>
    Effect.map(
      api.until(podPath(namespace, name), (pod) => pod?.status?.podIP !== undefined),
      (pod): string => pod.status.podIP,
    )
  const serviceOf = (namespace: string, name: string) =>
    Effect.map(api.get(servicePath(namespace, name)), (service): string => service.spec.clusterIP)
  /** The only pod with a label. */
  const labelled = (namespace: string, label: string) =>
    Effect.map(
      api.get(`/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(label)}`),
      (list): string => list.items.find((pod: any) => pod.metadata.deletionTimestamp === undefined).status.podIP,
    )
  const gateway = ({ namespace }: Tenant) =>
    Effect.gen(function* () {
      const pod = yield* labelled(namespace, "app.kubernetes.io/name=openclaw")
      return [pod, yield* serviceOf(namespace, "openclaw")].map((address) => `${address}:18789`)
    })
  for (const { namespace, pod } of [
    Places.free,
    Places.loose,
    Places.onlooker,
    Places.privileged,
    Places.api,
    Places.tokenProxy,
    Places.asOperator,
  ])
    yield* api.until(podPath(namespace, pod), (one) =>
      (one?.status?.conditions ?? []).some((it: any) => it.type === "Ready" && it.status === "True"),
    )

  // Whatever answers on this machine's own address stands for the platform's Redis and Postgres.
  const redisPort = new URL(platform.redisOf("operator")).port
  const world: World = {
    inside: containerOf(ada),
    own: yield* gateway(ada),
    neighbour: yield* gateway(bob),
    apiservers: [
      `${Addresses.firstService}:443`,
      "kubernetes.default.svc.cluster.local:443",
      `${Addresses.nodeAddress}:${Addresses.apiserverPort}`,
      `10.244.0.1:${Addresses.apiserverPort}`,
    ],
    node: [`${Addresses.nodeAddress}:10250`, "10.244.0.1:10250", `${Addresses.nodeAddress}:10256`],
    dns: `${Addresses.dnsService}:53`,
    dnsPod: `${yield* labelled("kube-system", "k8s-app=kube-dns")}:53`,
    freePod: yield* addressOf(Places.free.namespace, Places.free.pod),
    apiPod: yield* addressOf(Places.api.namespace, Places.api.pod),
    apiService: yield* serviceOf("platform", "api"),
    proxyPod: yield* addressOf(Places.tokenProxy.namespace, Places.tokenProxy.pod),
    proxyService: yield* serviceOf("platform", "token-proxy"),
    operatorPod: yield* addressOf(Places.asOperator.namespace, Places.asOperator.pod),
    stores: [`${Addresses.hostAddress}:${redisPort}`],
  }
  return { node, platform, operator, ada, bob, world, probe, standIn, labelled }
})

export class Stage extends Context.Service<Stage, Effect.Success<typeof make>>()("@berth/operator/test/Stage") {
  /** Set up once for a file; the agents go with the cluster. */
  static readonly layer = Layer.effect(Stage, make).pipe(Layer.provide(realNode))
}
