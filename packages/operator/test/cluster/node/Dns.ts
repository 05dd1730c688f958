/** CoreDNS as a pod, as in production: rules of customers' NetworkPolicies select it by its labels. Pure. */
import { dnsService } from "./Addresses.ts"

const name = "coredns"
const namespace = "kube-system"
const labels = { "k8s-app": "kube-dns" }

/**
 * Names of the outside that tests stand in for, read again a second after their file was written; names of the cluster;
 * and of whatever else is asked, that there is no such name.
 */
const corefile = `.:53 {
  errors
  health :8080
  ready :8181
  hosts /etc/coredns-hosts/hosts {
    ttl 5
    reload 1s
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa {
    pods insecure
    ttl 5
  }
  file /etc/coredns/empty.zone .
}
`
const emptyZone = ". 5 IN SOA nobody.invalid. nobody.invalid. 1 7200 900 1209600 5\n"

const account = { kind: "ServiceAccount", name, namespace }

/** Path and object, in order. `image` is CoreDNS's, `hosts` the node's folder that holds the file of other names. */
export const dnsObjects = (image: string, hosts: string): ReadonlyArray<readonly [path: string, object: unknown]> => {
  const core = `/api/v1/namespaces/${namespace}`
  const rbac = "/apis/rbac.authorization.k8s.io/v1"
  return [
    [`${core}/serviceaccounts/${name}`, { apiVersion: "v1", kind: "ServiceAccount", metadata: { name } }],
    [
      `${rbac}/clusterroles/${name}`,
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRole",
        metadata: { name },
        rules: [
          { apiGroups: [""], resources: ["services", "pods", "namespaces"], verbs: ["list", "watch"] },
          { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
        ],
      },
    ],
    [
      `${rbac}/clusterrolebindings/${name}`,
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "ClusterRoleBinding",
        metadata: { name },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
        subjects: [account],
      },
    ],
    [
      `${core}/configmaps/${name}`,
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name },
        data: { Corefile: corefile, "empty.zone": emptyZone },
      },
    ],
    [
      `${core}/services/kube-dns`,
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "kube-dns", labels },
        spec: {
          clusterIP: dnsService,
          selector: labels,
          ports: [
            { name: "dns", port: 53, protocol: "UDP", targetPort: 53 },
            { name: "dns-tcp", port: 53, protocol: "TCP", targetPort: 53 },
          ],
        },
      },
    ],
    [dnsPath, deployment(image, hosts)],
  ]
}

export const dnsPath = `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`

/** Names of the outside, each with its address, as the file that CoreDNS reads. */
export const hostsFile = (names: Readonly<Record<string, string>>): string =>
  Object.entries(names)
    .map(([host, address]) => `${address} ${host}\n`)
    .join("")

const deployment = (image: string, hosts: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, labels },
  spec: {
    replicas: 1,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: name,
        terminationGracePeriodSeconds: 1,
        priorityClassName: "system-cluster-critical",
        dnsPolicy: "Default",
        containers: [
          {
            name,
            image,
            imagePullPolicy: "Never",
            args: ["-conf", "/etc/coredns/Corefile"],
            resources: { requests: { cpu: "50m", memory: "32Mi" }, limits: { memory: "128Mi" } },
            ports: [
              { name: "dns", containerPort: 53, protocol: "UDP" },
              { name: "dns-tcp", containerPort: 53, protocol: "TCP" },
            ],
            securityContext: {
              runAsUser: 0,
              allowPrivilegeEscalation: false,
              readOnlyRootFilesystem: true,
              capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE"] },
            },
            readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
            livenessProbe: { httpGet: { path: "/health", port: 8080 }, periodSeconds: 10, failureThreshold: 5 },
            volumeMounts: [
              { name: "config", mountPath: "/etc/coredns", readOnly: true },
              { name: "hosts", mountPath: "/etc/coredns-hosts", readOnly: true },
            ],
          },
        ],
        volumes: [
          { name: "config", configMap: { name } },
          { name: "hosts", hostPath: { path: hosts, type: "Directory" } },
        ],
      },
    },
  },
})
