/**
 * What kwok plays on the nodes of the cheap tier: nodes that are Ready at once and pods that run as soon as they are bound.
 * No image is pulled, no probe and no policy evaluated; a deleted pod is gone without its grace. Pure.
 */
export interface FakePods {
  /** From bound to Ready. */
  readonly startMillis: number
  /** Whether pods of Jobs end well by themselves; else they run until a test ends them. */
  readonly jobs: "complete" | "run"
}

type Expression = readonly [
  path: string,
  operator: "In" | "NotIn" | "Exists" | "DoesNotExist",
  ...values: Array<string>,
]

const stage = (
  name: string,
  kind: "Node" | "Pod",
  expressions: ReadonlyArray<Expression>,
  next: unknown,
  delayMillis = 0,
) => ({
  apiVersion: "kwok.x-k8s.io/v1alpha1",
  kind: "Stage",
  metadata: { name },
  spec: {
    resourceRef: { apiGroup: "v1", kind },
    selector: {
      matchExpressions: expressions.map(([key, operator, ...values]) => ({
        key,
        operator,
        ...(values.length === 0 ? {} : { values }),
      })),
    },
    ...(delayMillis === 0 ? {} : { delay: { durationMilliseconds: delayMillis } }),
    next,
  },
})

const readyStatus = `.status.conditions.[] | select( .type == "Ready" ) | .status`

const lines = (...parts: ReadonlyArray<string>) => parts.join("\n")

const nodeReady = lines(
  "{{ $now := Now }}",
  "conditions:",
  "{{ range NodeConditions }}",
  "- type: {{ .type | Quote }}",
  "  status: {{ .status | Quote }}",
  "  reason: {{ .reason | Quote }}",
  "  message: {{ .message | Quote }}",
  "  lastHeartbeatTime: {{ $now | Quote }}",
  "  lastTransitionTime: {{ $now | Quote }}",
  "{{ end }}",
  "addresses:",
  "- type: InternalIP",
  "  address: {{ NodeIP | Quote }}",
  "- type: Hostname",
  "  address: {{ NodeName | Quote }}",
  "phase: Running",
)

const container = (state: ReadonlyArray<string>) => [
  "- name: {{ .name | Quote }}",
  "  image: {{ .image | Quote }}",
  "  imageID: {{ .image | Quote }}",
  "  restartCount: 0",
  ...state.map((line) => `  ${line}`),
]

const ended = [
  "ready: false",
  "started: false",
  "state:",
  "  terminated:",
  "    exitCode: 0",
  "    reason: Completed",
  "    startedAt: {{ $now | Quote }}",
  "    finishedAt: {{ $now | Quote }}",
]

const podReady = lines(
  "{{ $now := Now }}",
  "phase: Running",
  "startTime: {{ $now | Quote }}",
  "conditions:",
  ...["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"].flatMap((type) => [
    `- type: ${type}`,
    `  status: "True"`,
    "  lastTransitionTime: {{ $now | Quote }}",
  ]),
  "initContainerStatuses:",
  "{{ range .spec.initContainers }}",
  ...container(["ready: true", ...ended.slice(1)]),
  "{{ end }}",
  "containerStatuses:",
  "{{ range .spec.containers }}",
  ...container(["ready: true", "started: true", "state:", "  running:", "    startedAt: {{ $now | Quote }}"]),
  "{{ end }}",
  "{{ with NodeIPsWith .spec.nodeName }}",
  "hostIP: {{ index . 0 | Quote }}",
  "hostIPs:",
  "{{ range . }}",
  "- ip: {{ . | Quote }}",
  "{{ end }}",
  "{{ end }}",
  `{{ with PodIPsWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) ( or .metadata.name "" ) ( or .metadata.namespace "" ) }}`,
  "podIP: {{ index . 0 | Quote }}",
  "podIPs:",
  "{{ range . }}",
  "- ip: {{ . | Quote }}",
  "{{ end }}",
  "{{ end }}",
)

const podEnded = lines(
  "{{ $now := Now }}",
  "phase: Succeeded",
  "containerStatuses:",
  "{{ range .spec.containers }}",
  ...container(ended),
  "{{ end }}",
)

const standing: Expression = [".metadata.deletionTimestamp", "DoesNotExist"]

/** kwok's configuration: one stage a document. */
export const stages = ({ jobs, startMillis }: FakePods): string =>
  [
    stage("node-ready", "Node", [[readyStatus, "NotIn", "True"]], { statusTemplate: nodeReady }),
    stage(
      "pod-ready",
      "Pod",
      [standing, [".status.phase", "In", "Pending"], [readyStatus, "NotIn", "True"]],
      { statusTemplate: podReady },
      startMillis,
    ),
    ...(jobs === "complete"
      ? [
          stage(
            "pod-ended",
            "Pod",
            [standing, [".status.phase", "In", "Running"], [".metadata.ownerReferences.[].kind", "In", "Job"]],
            { statusTemplate: podEnded },
          ),
        ]
      : []),
    stage("pod-gone", "Pod", [[".metadata.deletionTimestamp", "Exists"]], { delete: true }),
  ]
    .map((document) => JSON.stringify(document))
    .join("\n---\n")

/** A node with room for hundreds of agents. */
export const fakeNode = (name: string) => {
  const room = { cpu: "256", memory: "1Ti", pods: "500", "ephemeral-storage": "1Ti" }
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      labels: {
        type: "kwok",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
      },
    },
    status: { allocatable: room, capacity: room },
  }
}
