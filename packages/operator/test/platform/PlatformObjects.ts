/** What stands in namespace `platform` of a test's cluster: services of Berth as pods, under their own accounts. Pure. */

export const platform = "platform"
export const records = "berth-agents"
/** Tells Berth's own pods from those that a test lets wear their names. */
export const partOf = { "app.kubernetes.io/part-of": "berth" }

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
})

export const serviceAccount = (name: string, inNamespace = platform) => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name, namespace: inNamespace },
})

/** Values in the clear, as an operator of the cluster would put them there. */
export const secret = (name: string, values: Readonly<Record<string, string>>, inNamespace = platform) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: inNamespace },
  type: "Opaque",
  data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
})

export const service = (name: string, ports: Readonly<Record<string, readonly [port: number, target: number]>>) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: platform },
  spec: {
    selector: { "app.kubernetes.io/name": name },
    ports: Object.entries(ports).map(([portName, [port, targetPort]]) => ({ name: portName, port, targetPort })),
  },
})

export interface ProgramOptions {
  readonly name: string
  readonly image: string
  /** The program's file below the repository. */
  readonly program: string
  /** Its ops port, asked whether it is ready. */
  readonly opsPort: number
  /** Variables, besides those of the Secret with the service's name. */
  readonly env: Readonly<Record<string, string>>
  readonly replicas?: number
}

/** A service of Berth's own image; its secrets come from the Secret that has its name. */
export const program = ({ env, image, name, opsPort, program: file, replicas = 1 }: ProgramOptions) => {
  const labels = { "app.kubernetes.io/name": name }
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: platform, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      strategy: { type: "Recreate" },
      template: {
        metadata: { labels: { ...labels, ...partOf } },
        spec: {
          serviceAccountName: name,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 30,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
          containers: [
            {
              name,
              image,
              imagePullPolicy: "Never",
              command: ["node", file],
              env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
              envFrom: [{ secretRef: { name } }],
              readinessProbe: { httpGet: { path: "/readyz", port: opsPort }, periodSeconds: 1 },
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
            },
          ],
        },
      },
    },
  }
}
