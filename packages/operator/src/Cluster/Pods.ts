/** What a pod of the memory cluster runs with: its environment and mounted files, resolved as a kubelet does. Pure. */
import * as Schema from "effect/Schema"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { at, type Ref, type Stored } from "../Manifest.ts"
import type { PodNode } from "./Node.ts"

export interface RunningPod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly image: string
  readonly command: ReadonlyArray<string>
  readonly env: Readonly<Record<string, string>>
  /** Contents by absolute path. */
  readonly files: Readonly<Record<string, string>>
  /** What stands on each mounted claim's volume, by mount path. What is written there outlives the pod. */
  readonly volumes: Readonly<Record<string, VolumeFiles>>
  /** Whether the pod is there to come to an end (a Job's), not to serve. */
  readonly ends: boolean
}

/** Files of a volume: contents by path below the mount. */
export type VolumeFiles = Map<string, string>

/**
 * The pod's process ended or never became ready. The kubelet starts it again, unless the pod is never restarted: then
 * `message` is what its container leaves behind.
 */
export class PodFailed extends Schema.TaggedError<PodFailed>()("PodFailed", {
  reason: Schema.String,
  message: Schema.String,
}) {}

/**
 * Stands for the first container's process. Of a pod that serves: completes when it is ready and goes on in its scope,
 * which closes when the pod goes. Of a pod that ends: completes when it has ended, with its termination message, if any.
 */
export type PodProcess = (pod: RunningPod, node: PodNode) => Effect.Effect<string | void, PodFailed, Scope.Scope>

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => String(value)

/** The pod as it would run, or which object it waits for. */
export const resolve = (
  pod: Stored,
  find: (ref: Ref) => Stored | undefined,
  contents: (volume: string) => VolumeFiles,
): { readonly running: RunningPod } | { readonly missing: string } => {
  const namespace = pod.metadata.namespace ?? ""
  const env: Record<string, string> = {}
  const files: Record<string, string> = {}
  const volumes: Record<string, VolumeFiles> = {}
  const bound = new Map<unknown, string>()
  for (const volume of list(at(pod, "spec", "volumes"))) {
    const claim = at(volume, "persistentVolumeClaim", "claimName")
    if (claim === undefined) continue
    const found = find({ kind: "PersistentVolumeClaim", namespace, name: text(claim) })
    if (at(found, "status", "phase") !== "Bound") return { missing: `PersistentVolumeClaim ${text(claim)}` }
    bound.set(at(volume, "name"), text(at(found, "spec", "volumeName")))
  }
  for (const container of list(at(pod, "spec", "containers"))) {
    for (const variable of list(at(container, "env"))) {
      const source = at(variable, "valueFrom", "secretKeyRef")
      const name = text(at(variable, "name"))
      if (source === undefined) {
        env[name] = text(at(variable, "value") ?? "")
        continue
      }
      const value = at(
        find({ kind: "Secret", namespace, name: text(at(source, "name")) }),
        "data",
        text(at(source, "key")),
      )
      if (value === undefined) return { missing: `Secret ${text(at(source, "name"))}` }
      env[name] = Buffer.from(text(value), "base64").toString("utf8")
    }
    for (const mount of list(at(container, "volumeMounts"))) {
      const claimed = bound.get(at(mount, "name"))
      if (claimed !== undefined) volumes[text(at(mount, "mountPath"))] = contents(claimed)
      const volume = list(at(pod, "spec", "volumes")).find((one) => at(one, "name") === at(mount, "name"))
      const name = at(volume, "configMap", "name")
      if (name === undefined) continue
      const map = find({ kind: "ConfigMap", namespace, name: text(name) })
      if (map === undefined) return { missing: `ConfigMap ${text(name)}` }
      for (const [key, content] of Object.entries((map.data ?? {}) as Record<string, string>))
        files[`${text(at(mount, "mountPath"))}/${key}`] = content
    }
  }
  return {
    running: {
      uid: pod.metadata.uid,
      namespace,
      name: pod.metadata.name,
      labels: pod.metadata.labels ?? {},
      image: text(at(pod, "spec", "containers", 0, "image")),
      command: list(at(pod, "spec", "containers", 0, "command")).map(text),
      env,
      files,
      volumes,
      ends: (at(pod, "spec", "restartPolicy") ?? "Always") !== "Always",
    },
  }
}
