/**
 * The wall around an agent. Everything is refused but: in, the operator on the gateway port; out, cluster DNS, the
 * token-proxy, and HTTPS to the public internet. Rules see addresses after Services are resolved, so they name pods and
 * target ports. What policy can't refuse (the pod's own node, NodePorts) is left to the nodes' firewall. Pure.
 */
import type { CustomerId } from "@berth/domain/Ids"
import type { Manifest } from "../Manifest.ts"
import type { OperatorSettings } from "../Settings.ts"
import { app, metadataOf, port } from "./Names.ts"

/** Private, shared, link-local (cloud metadata is there) and loopback. */
export const closedRanges = [
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "100.64.0.0/10",
  "169.254.0.0/16",
  "127.0.0.0/8",
]
/** Unique-local, link-local, loopback, and IPv4 behind NAT64, which would lead back to all of the above. */
export const closedRanges6 = ["fc00::/7", "fe80::/10", "::1/128", "64:ff9b::/96"]

const podsOf = (namespace: string, labels: Readonly<Record<string, string>>) => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
  podSelector: { matchLabels: labels },
})

export const networkPolicy = (customerId: CustomerId, settings: OperatorSettings): Manifest => {
  const own = settings.clusterRanges
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: metadataOf(customerId, app),
    spec: {
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        {
          from: [podsOf("platform", { "app.kubernetes.io/name": "operator" })],
          ports: [{ protocol: "TCP", port }],
        },
      ],
      egress: [
        {
          to: [podsOf("kube-system", { "k8s-app": "kube-dns" })],
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
        {
          to: [podsOf("platform", { "app.kubernetes.io/name": "token-proxy" })],
          ports: [{ protocol: "TCP", port: settings.proxyPort }],
        },
        {
          to: [
            {
              ipBlock: { cidr: "0.0.0.0/0", except: [...closedRanges, ...own.filter((range) => !range.includes(":"))] },
            },
            { ipBlock: { cidr: "::/0", except: [...closedRanges6, ...own.filter((range) => range.includes(":"))] } },
          ],
          ports: [{ protocol: "TCP", port: 443 }],
        },
      ],
    },
  }
}
