/**
 * The agent's pod and the Service before it. Hardened for an agent that runs what a model tells it to: no root, no
 * capability, no token, read-only but for its volume and /tmp; nothing of the platform in its environment, which the
 * model can read. Every field that the API server would default is set, else each pass would see a difference. Pure.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { tiers } from "@berth/domain/Tiers"
import type { AgentSpec } from "../Agent.ts"
import { hashOf, type Manifest } from "../Manifest.ts"
import type { OperatorSettings } from "../Settings.ts"
import { ephemeral } from "./Limits.ts"
import { app, claimName, configKey, customerLabel, metadataOf, port, secretKeys, selectorOf } from "./Names.ts"
import { policyGate } from "./PolicyGate.ts"

export const user = 10_001

export const securityContext = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
}

const probe = (path: string, periodSeconds: number, failureThreshold: number) => ({
  httpGet: { path, port, scheme: "HTTP" },
  periodSeconds,
  timeoutSeconds: 5,
  successThreshold: 1,
  failureThreshold,
})

const defaults = {
  imagePullPolicy: "IfNotPresent",
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "FallbackToLogsOnError",
}

const environment = [
  { name: "HOME", value: "/data" },
  // A subdirectory that OpenClaw makes itself: it refuses one whose owner is not its own user.
  { name: "OPENCLAW_STATE_DIR", value: "/data/state" },
  { name: "OPENCLAW_CONFIG_PATH", value: `/config/${configKey}` },
  { name: "OPENCLAW_CONFIG_READONLY", value: "1" },
  { name: "NODE_COMPILE_CACHE", value: "/data/compile-cache" },
  ...Object.values(secretKeys).map((key) => ({ name: key, valueFrom: { secretKeyRef: { name: app, key } } })),
]

/**
 * Prefers nodes under a label's value with fewer agents. Not by topology spread constraints: those count pods of their own
 * namespace alone, and each agent has one of its own.
 */
const spreadOver = (topologyKey: string) => ({
  podAntiAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      {
        weight: 100,
        podAffinityTerm: {
          topologyKey,
          labelSelector: { matchLabels: { "app.kubernetes.io/name": app } },
          namespaceSelector: { matchExpressions: [{ key: customerLabel, operator: "Exists" }] },
        },
      },
    ],
  },
})

/** Where and how the cluster runs the pod, as far as the settings say. */
const placement = ({ priorityClass, runtimeClass, topologySpread }: OperatorSettings) => ({
  ...(runtimeClass === undefined ? {} : { runtimeClassName: runtimeClass }),
  ...(priorityClass === undefined ? {} : { priorityClassName: priorityClass }),
  ...(topologySpread === undefined ? {} : { affinity: spreadOver(topologySpread) }),
})

/** What rolls the pod when it changes: a mounted ConfigMap or Secret is not read again by OpenClaw. */
export interface Inputs {
  readonly config: Manifest
  readonly secret: Manifest
}

export const deployment = (
  customerId: CustomerId,
  spec: AgentSpec,
  settings: OperatorSettings,
  inputs: Inputs,
): Manifest => {
  const { cpuRequest, cpuLimit, memoryRequest, memoryLimit } = tiers[spec.tier].resources
  const image = settings.images[spec.imageChannel]
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadataOf(customerId, app),
    spec: {
      replicas: spec.suspended.length === 0 && spec.deletion === undefined ? 1 : 0,
      revisionHistoryLimit: 2,
      progressDeadlineSeconds: 600,
      strategy: { type: "Recreate" },
      selector: { matchLabels: selectorOf(customerId) },
      template: {
        metadata: {
          labels: metadataOf(customerId, app).labels,
          annotations: {
            "berth.dev/config-hash": hashOf(inputs.config.data),
            "berth.dev/secret-hash": hashOf(inputs.secret.data),
            ...(spec.restartedAt === undefined ? {} : { "berth.dev/restarted-at": String(spec.restartedAt) }),
          },
        },
        spec: {
          serviceAccountName: app,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          restartPolicy: "Always",
          dnsPolicy: "ClusterFirst",
          schedulerName: "default-scheduler",
          ...placement(settings),
          // OpenClaw finishes the turn in flight, for up to 315 s.
          terminationGracePeriodSeconds: 330,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: user,
            runAsGroup: user,
            fsGroup: user,
            fsGroupChangePolicy: "OnRootMismatch",
            seccompProfile: { type: "RuntimeDefault" },
          },
          initContainers: [
            {
              name: "wait-for-policy",
              image,
              ...defaults,
              command: ["node", "-e", policyGate],
              resources: {
                requests: { cpu: "10m", memory: "64Mi", "ephemeral-storage": "16Mi" },
                limits: { cpu: "200m", memory: "128Mi", "ephemeral-storage": "16Mi" },
              },
              securityContext,
            },
          ],
          containers: [
            {
              name: app,
              image,
              ...defaults,
              command: ["node", "openclaw.mjs", "gateway", "run"],
              env: environment,
              ports: [{ name: "gateway", containerPort: port, protocol: "TCP" }],
              resources: {
                requests: { cpu: cpuRequest, memory: memoryRequest, "ephemeral-storage": ephemeral.request },
                limits: { cpu: cpuLimit, memory: memoryLimit, "ephemeral-storage": ephemeral.limit },
              },
              startupProbe: probe("/startupz", 2, 150),
              readinessProbe: probe("/startupz", 5, 3),
              livenessProbe: probe("/healthz", 10, 6),
              securityContext,
              volumeMounts: [
                { name: "data", mountPath: "/data" },
                { name: "config", mountPath: "/config", readOnly: true },
                { name: "tmp", mountPath: "/tmp" },
              ],
            },
          ],
          volumes: [
            { name: "data", persistentVolumeClaim: { claimName } },
            { name: "config", configMap: { name: app, defaultMode: 0o444 } },
            { name: "tmp", emptyDir: { sizeLimit: "256Mi" } },
          ],
        },
      },
    },
  }
}

/** For the operator's health probe; no one else can reach it. */
export const service = (customerId: CustomerId): Manifest => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: metadataOf(customerId, app),
  spec: {
    type: "ClusterIP",
    sessionAffinity: "None",
    internalTrafficPolicy: "Cluster",
    ipFamilyPolicy: "SingleStack",
    selector: selectorOf(customerId),
    ports: [{ name: "gateway", protocol: "TCP", port, targetPort: port }],
  },
})
