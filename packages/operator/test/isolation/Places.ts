/**
 * Who stands where while the walls around a customer are tried: addresses beyond the node, pods of the platform, pods of
 * nobody's in particular. Every one of them is a probe that answers, so that a silence can only be the wall's. Pure.
 */
import { containerdSocket, publicAddress } from "../cluster/node/Addresses.ts"
import type { PodRef } from "../platform/Probe.ts"

/** Stand-ins for the world beyond the cluster, all in a network namespace behind the node. */
export const outside = {
  internet: publicAddress,
  /** A public address of the cluster's own, as CLUSTER_RANGES names it to the operator. */
  own: "203.0.113.11",
  metadata: "169.254.169.254",
  /** One of each private range. */
  private: ["10.77.0.1", "172.20.0.1", "192.168.77.1", "100.64.77.1"],
} as const

const tcp = [443, 80, 53, 22, 8443]

/** What `probe serve` is told there. */
export const outsideServer = {
  name: "outside",
  tcp: [outside.internet, outside.own, outside.metadata, ...outside.private].flatMap((address) =>
    tcp.map((port) => `${address}:${port}`),
  ),
  udp: [outside.internet].flatMap((address) => [`${address}:53`, `${address}:443`]),
}

/** A pod that answers on ports and from which the probe can try others. Without walls of its own: it runs as root. */
const pod = (options: {
  readonly name: string
  readonly namespace: string
  readonly image: string
  readonly tcp: ReadonlyArray<number>
  readonly labels?: Readonly<Record<string, string>>
  readonly securityContext?: object
  readonly program?: string
  /** Members of the pod's definition besides. */
  readonly spec?: object
  readonly mounts?: ReadonlyArray<object>
}) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: options.name, namespace: options.namespace, labels: options.labels ?? {} },
  spec: {
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...options.spec,
    containers: [
      {
        name: "probe",
        image: options.image,
        imagePullPolicy: "Never",
        command: [
          options.program ?? "/probe",
          "serve",
          JSON.stringify({
            name: `${options.namespace}/${options.name}`,
            tcp: options.tcp.map((port) => `0.0.0.0:${port}`),
            udp: [],
          }),
        ],
        readinessProbe: { tcpSocket: { port: options.tcp[0] }, periodSeconds: 1 },
        securityContext: options.securityContext ?? { runAsUser: 0 },
        volumeMounts: options.mounts ?? [],
      },
    ],
  },
})

const refTo = (namespace: string, name: string): PodRef => ({
  namespace,
  pod: name,
  container: "probe",
  probe: "/probe",
})

/** The same pod as a customer's, in a namespace that nobody walled in: what it can do is what the wall takes away. */
export const free = refTo("free", "free")
/** The customer's own image as root, which may do whatever root may and has of the node what it asked for. */
export const privileged: PodRef = { ...refTo("free", "privileged"), probe: "/usr/bin/probe" }
/** The customer's user among the node's processes. */
export const onlooker = refTo("free", "onlooker")
/** The customer's own image and user, in a pod that forbids nothing. */
export const loose: PodRef = { ...refTo("free", "loose"), probe: "/usr/bin/probe-as-root" }
/** Wears the operator's label in the platform's namespace. */
export const asOperator = refTo("platform", "as-operator")
/** Another service of the platform's. */
export const api = refTo("platform", "api")
/** Stands in for the token-proxy, ops port and all. */
export const tokenProxy = refTo("platform", "token-proxy")

/** The kubelet's folder is the one for devices, which it has wherever else it keeps the rest. */
const ofTheNode = [containerdSocket, "/var/lib/kubelet"]

const name = (value: string) => ({ "app.kubernetes.io/name": value })

/** The pods above, with the Services before them. */
export const places = (image: string, standIn: string) => [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "free" } },
  pod({ name: "free", namespace: "free", image, tcp: [443, 80, 18_789] }),
  pod({
    name: "privileged",
    namespace: "free",
    image: standIn,
    program: "/usr/bin/probe",
    tcp: [443],
    securityContext: { privileged: true, runAsUser: 0 },
    spec: {
      automountServiceAccountToken: true,
      volumes: ofTheNode.map((path, index) => ({ name: `node-${index}`, hostPath: { path } })),
    },
    mounts: ofTheNode.map((mountPath, index) => ({ name: `node-${index}`, mountPath })),
  }),
  pod({
    name: "onlooker",
    namespace: "free",
    image,
    tcp: [8_443],
    securityContext: { runAsUser: 10_001 },
    spec: { hostPID: true },
  }),
  pod({
    name: "loose",
    namespace: "free",
    image: standIn,
    program: "/usr/bin/probe",
    tcp: [8_443],
    securityContext: { runAsUser: 10_001, allowPrivilegeEscalation: true },
  }),
  pod({ name: "as-operator", namespace: "platform", image, tcp: [9_095, 443], labels: name("operator") }),
  pod({ name: "api", namespace: "platform", image, tcp: [8_080, 443, 3_001], labels: name("api") }),
  pod({ name: "token-proxy", namespace: "platform", image, tcp: [8_080, 9_090, 443], labels: name("token-proxy") }),
  ...(["api", "token-proxy"] as const).map((one) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: one, namespace: "platform" },
    spec: {
      selector: name(one),
      ports: [
        { name: "http", port: 80, targetPort: 8_080 },
        { name: "tls", port: 443, targetPort: 443 },
      ],
    },
  })),
]
