/** What a pod of the memory cluster runs with: its environment and mounted files, resolved as a kubelet does. Pure. */
import * as Schema from "effect/Schema"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { at, type Ref, type Stored } from "../Manifest.ts"

export interface RunningPod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  /** Contents by absolute path. */
  readonly files: Readonly<Record<string, string>>
}

/** The pod's process ended or never became ready; the kubelet starts it again. */
export class PodFailed extends Schema.TaggedError<PodFailed>()("PodFailed", {
  reason: Schema.String,
  message: Schema.String,
}) {}

/** Stands for the container's process: completes when it is ready, goes on in its scope, which closes when the pod goes. */
export type PodProcess = (pod: RunningPod) => Effect.Effect<void, PodFailed, Scope.Scope>

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])
const text = (value: unknown): string => String(value)

/** The pod as it would run, or which object it waits for. */
export const resolve = (
  pod: Stored,
  find: (ref: Ref) => Stored | undefined,
): { readonly running: RunningPod } | { readonly missing: string } => {
  const namespace = pod.metadata.namespace ?? ""
  const env: Record<string, string> = {}
  const files: Record<string, string> = {}
  for (const volume of list(at(pod, "spec", "volumes"))) {
    const claim = at(volume, "persistentVolumeClaim", "claimName")
    const bound =
      claim === undefined ? undefined : find({ kind: "PersistentVolumeClaim", namespace, name: text(claim) })
    if (claim !== undefined && at(bound, "status", "phase") !== "Bound")
      return { missing: `PersistentVolumeClaim ${text(claim)}` }
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
      env,
      files,
    },
  }
}
