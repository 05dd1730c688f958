/**
 * What a customer's pod may reach and what not, one rule after another, each with the addresses that are tried and with whom
 * the same must work at the same moment: a refusal says nothing unless somebody else gets through. Pure.
 */
import type { Attempt, PodRef } from "../platform/Probe.ts"
import * as Places from "./Places.ts"

/** Addresses that are only known once everything stands. */
export interface World {
  /** From where it is tried: a customer's pod. */
  readonly inside: PodRef
  /** kube-apiserver by the cluster's Service, by the node, by the pods' gateway, and by the address of this machine, if it has one. */
  readonly apiservers: ReadonlyArray<string>
  /** The kubelet and other ports of the node's own. */
  readonly node: ReadonlyArray<string>
  readonly dns: string
  readonly dnsPod: string
  /** Pod and Service of the customer's own agent, on the gateway's port. */
  readonly own: ReadonlyArray<string>
  /** Those of another customer's. */
  readonly neighbour: ReadonlyArray<string>
  readonly freePod: string
  readonly apiPod: string
  readonly apiService: string
  readonly proxyPod: string
  readonly proxyService: string
  readonly operatorPod: string
  /** This machine as pods of the platform reach it: where Redis and Postgres stand. */
  readonly stores: ReadonlyArray<string>
}

export interface Rule {
  readonly name: string
  readonly verdict: "allowed" | "refused"
  readonly attempts: (world: World) => ReadonlyArray<Attempt>
  /** Who tries; the customer's pod, if not given. */
  readonly from?: PodRef
  /** Who gets through where the customer is refused; a pod without walls, if not given. */
  readonly control?: PodRef
}

const tcp = (addresses: ReadonlyArray<string>): ReadonlyArray<Attempt> =>
  addresses.map((address) => ({ kind: "tcp", address }))
const at = (port: number) => (address: string) => `${address}:${port}`
const proxyName = "token-proxy.platform.svc.cluster.local"

const toTheAgent = (name: string, from: PodRef): Rule => ({
  name: `${name} does not get into a customer's pod`,
  verdict: "refused",
  from,
  attempts: ({ own }) => tcp(own),
  control: Places.asOperator,
})

export const rules: ReadonlyArray<Rule> = [
  {
    name: "the operator's pods get to the agent's gateway",
    verdict: "allowed",
    from: Places.asOperator,
    attempts: ({ own }) => own.map((address) => ({ kind: "http", address: `${address}/healthz` })),
  },
  toTheAgent("the token-proxy", Places.tokenProxy),
  toTheAgent("another service of the platform", Places.api),
  toTheAgent("a pod of any other namespace", Places.free),
  {
    name: "cluster DNS answers over UDP and TCP, by its Service and by its pod",
    verdict: "allowed",
    attempts: ({ dns, dnsPod }) =>
      [dns, dnsPod].flatMap((address) =>
        (["udp", "tcp"] as const).map((network) => ({ kind: "dns", address, network, name: proxyName })),
      ),
  },
  {
    name: "the token-proxy answers, by its name, by its Service and by its pod",
    verdict: "allowed",
    attempts: ({ proxyPod, proxyService }) =>
      [`${proxyName}:80`, "token-proxy.platform.svc:80", `${proxyService}:80`, `${proxyPod}:8080`].map((address) => ({
        kind: "http",
        address,
      })),
  },
  {
    name: "the internet is reached on TCP 443",
    verdict: "allowed",
    attempts: () => tcp([`${Places.outside.internet}:443`]),
  },
  {
    name: "another customer's agent is out of reach, by pod and by Service",
    verdict: "refused",
    attempts: ({ neighbour }) => tcp(neighbour),
    control: Places.asOperator,
  },
  {
    name: "a pod of any other namespace is out of reach",
    verdict: "refused",
    attempts: ({ freePod }) => tcp([443, 80, 18_789].map((port) => `${freePod}:${port}`)),
  },
  {
    name: "kube-apiserver is out of reach by every address it has",
    verdict: "refused",
    attempts: ({ apiservers }) => tcp(apiservers),
  },
  {
    name: "the kubelet and the node's own daemons are out of reach",
    verdict: "refused",
    attempts: ({ node }) => tcp(node),
  },
  {
    name: "no other service of the platform is reached, by pod or by Service",
    verdict: "refused",
    attempts: ({ apiPod, apiService, operatorPod }) =>
      tcp([
        `${apiPod}:8080`,
        `${apiPod}:443`,
        `${apiPod}:3001`,
        `${apiService}:80`,
        `${apiService}:443`,
        `${operatorPod}:9095`,
      ]),
  },
  {
    name: "the token-proxy has no other port for customers",
    verdict: "refused",
    attempts: ({ proxyPod, proxyService }) => tcp([`${proxyPod}:9090`, `${proxyPod}:443`, `${proxyService}:443`]),
  },
  {
    name: "the platform's Redis and Postgres are out of reach",
    verdict: "refused",
    attempts: ({ stores }) => tcp(stores),
  },
  {
    name: "the cloud's metadata address is out of reach",
    verdict: "refused",
    attempts: () => tcp([443, 80].map((port) => `${Places.outside.metadata}:${port}`)),
  },
  {
    name: "private and shared ranges are out of reach, on 443 too",
    verdict: "refused",
    attempts: () => tcp(Places.outside.private.flatMap((address) => [`${address}:443`, `${address}:80`])),
  },
  {
    name: "the cluster's own public addresses are out of reach on 443",
    verdict: "refused",
    attempts: () => tcp([`${Places.outside.own}:443`]),
  },
  {
    name: "the internet is reached on no other TCP port",
    verdict: "refused",
    attempts: () => tcp([80, 53, 22, 8_443].map(at).map((of) => of(Places.outside.internet))),
  },
  {
    name: "the internet is not reached over UDP: no QUIC, no name server but the cluster's",
    verdict: "refused",
    attempts: () => [443, 53].map((port) => ({ kind: "udp", address: `${Places.outside.internet}:${port}` })),
  },
]
