/** How etcd, the apiserver and the controllers of a cluster are started. Pure: an address in, command lines out. */
import { join } from "node:path"
import type { Component } from "./Components.ts"

export interface Plane {
  /** Holds keys, sockets and data. */
  readonly folder: string
  readonly hyper: string
  /** The apiserver's port. */
  readonly port: number
  /** Where the apiserver listens, and the address that it tells others. */
  readonly bind: string
  readonly address: string
  readonly services: string
  readonly pods: string
  /** Whether nodes have addresses that the apiserver can be told by; a loopback address may not stand in an EndpointSlice. */
  readonly realNodes: boolean
  readonly network?: string
}

/** Of a cluster with no real node; a real one has more. */
export const planeComponents = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "kwok",
  "volumes",
] as const

const flags = (values: Readonly<Record<string, string | number | boolean>>): ReadonlyArray<string> =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`)

export const kubeconfigOf = (folder: string, user: string) => join(folder, `${user}.kubeconfig`)
export const volumesFolder = (folder: string) => join(folder, "volumes")

/** etcd is reached by a socket in the folder: no port that another cluster could take while it is down. */
export const etcdSocket = (folder: string) => join(folder, "etcd.sock")
/** A single member is told nothing by these, but must have them, and they must be a host and a port. */
const nobody = { clients: "http://127.0.0.1:1", peers: "http://127.0.0.1:2" }

const etcd = ({ folder }: Plane) =>
  flags({
    name: "test",
    "data-dir": join(folder, "etcd"),
    "unsafe-no-fsync": true,
    "log-level": "warn",
    "listen-client-urls": `unix://${etcdSocket(folder)}`,
    "advertise-client-urls": nobody.clients,
    "listen-peer-urls": `unix://${join(folder, "peer.sock")}`,
    "initial-advertise-peer-urls": nobody.peers,
    "initial-cluster": `test=${nobody.peers}`,
  })

const apiserver = ({ address, bind, folder, port, realNodes, services }: Plane) => {
  const pki = (name: string) => join(folder, "pki", name)
  return flags({
    "etcd-servers": `unix://${etcdSocket(folder)}`,
    "secure-port": port,
    "bind-address": bind,
    "advertise-address": address,
    "endpoint-reconciler-type": realNodes ? "lease" : "none",
    "service-cluster-ip-range": services,
    "tls-cert-file": pki("apiserver.crt"),
    "tls-private-key-file": pki("apiserver.key"),
    "client-ca-file": pki("ca.crt"),
    "authorization-mode": "Node,RBAC",
    // The others that matter here (PodSecurity, ResourceQuota, LimitRanger, NamespaceLifecycle) are on by default.
    "enable-admission-plugins": "NodeRestriction",
    "anonymous-auth": false,
    "allow-privileged": true,
    profiling: false,
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": pki("sa.pub"),
    "service-account-signing-key-file": pki("sa.key"),
    "kubelet-client-certificate": pki("apiserver-kubelet.crt"),
    "kubelet-client-key": pki("apiserver-kubelet.key"),
    "kubelet-preferred-address-types": "InternalIP",
    "requestheader-client-ca-file": pki("ca.crt"),
    "requestheader-allowed-names": "front-proxy-client",
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "proxy-client-cert-file": pki("front-proxy.crt"),
    "proxy-client-key-file": pki("front-proxy.key"),
  })
}

const controllers = ({ folder, pods, realNodes, services }: Plane) => {
  const pki = (name: string) => join(folder, "pki", name)
  return flags({
    kubeconfig: kubeconfigOf(folder, "controllers"),
    "secure-port": 0,
    "leader-elect": false,
    profiling: false,
    "use-service-account-credentials": true,
    "service-account-private-key-file": pki("sa.key"),
    "root-ca-file": pki("ca.crt"),
    "allocate-node-cidrs": realNodes,
    ...(realNodes ? { "cluster-cidr": pods, "service-cluster-ip-range": services } : {}),
    // The default, 20 a second for each controller, would be what a test of hundreds of agents measures.
    "kube-api-qps": 500,
    "kube-api-burst": 1_000,
    "resource-quota-sync-period": "10s",
    "node-monitor-period": "2s",
    // A test that kills the fake nodes' kwok to play the kubelet itself finds them Ready.
    "node-monitor-grace-period": realNodes ? "20s" : "1h",
  })
}

/** The scheduler's own configuration file: the limit on its requests has no flag. */
export const schedulerConfiguration = (folder: string): string =>
  JSON.stringify({
    apiVersion: "kubescheduler.config.k8s.io/v1",
    kind: "KubeSchedulerConfiguration",
    leaderElection: { leaderElect: false },
    clientConnection: { kubeconfig: kubeconfigOf(folder, "scheduler"), qps: 500, burst: 1_000 },
  })

export const schedulerFile = (folder: string) => join(folder, "scheduler.json")
export const stagesFile = (folder: string) => join(folder, "stages.yaml")

const kwok = ({ folder }: Plane) =>
  flags({
    kubeconfig: kubeconfigOf(folder, "admin"),
    config: stagesFile(folder),
    "manage-all-nodes": false,
    "manage-nodes-with-label-selector": "type=kwok",
    cidr: "10.0.0.0/16",
    "node-ip": "10.0.0.1",
    "node-lease-duration-seconds": 40,
  })

export const volumes = (folder: string) =>
  flags({ kubeconfig: kubeconfigOf(folder, "admin"), root: volumesFolder(folder) })

/** Each component of the control plane by name. */
export const planeCommands = (plane: Plane): Readonly<Record<(typeof planeComponents)[number], Component>> => {
  const component = (name: string, args: ReadonlyArray<string>): Component => ({
    command: plane.hyper,
    args: [name, ...args],
    ...(plane.network === undefined ? {} : { network: plane.network }),
  })
  return {
    etcd: component("etcd", etcd(plane)),
    "kube-apiserver": component("kube-apiserver", apiserver(plane)),
    "kube-controller-manager": component("kube-controller-manager", controllers(plane)),
    "kube-scheduler": component(
      "kube-scheduler",
      flags({ config: schedulerFile(plane.folder), "secure-port": 0, profiling: false }),
    ),
    kwok: component("kwok", kwok(plane)),
    volumes: component("volumes", volumes(plane.folder)),
  }
}
