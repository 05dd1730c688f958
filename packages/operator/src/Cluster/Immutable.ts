/** Fields that an API server keeps as they were made, by kind. Pure. */
import { at, canonical, type Stored } from "../Manifest.ts"

type Path = ReadonlyArray<string>

const fixed: Readonly<Record<string, ReadonlyArray<Path>>> = {
  Deployment: [["spec", "selector"]],
  Job: [
    ["spec", "selector"],
    ["spec", "template"],
    ["spec", "completions"],
    ["spec", "completionMode"],
  ],
  PersistentVolumeClaim: [
    ["spec", "accessModes"],
    ["spec", "storageClassName"],
    ["spec", "volumeMode"],
  ],
  RoleBinding: [["roleRef"]],
  Secret: [["type"]],
}

/** Once set, these stay; before, a controller may set them. */
const fixedOnceSet: Readonly<Record<string, ReadonlyArray<Path>>> = {
  PersistentVolumeClaim: [["spec", "volumeName"]],
  Service: [["spec", "clusterIP"]],
}

/** The first fixed field that a change would touch. */
export const immutableChange = (before: Stored, next: Record<string, unknown>): string | undefined => {
  const differs = (path: Path) => canonical(at(before, ...path)) !== canonical(at(next, ...path))
  const touched =
    (fixed[before.kind] ?? []).find(differs) ??
    (fixedOnceSet[before.kind] ?? []).find((path) => at(before, ...path) !== undefined && differs(path))
  return touched === undefined ? undefined : touched.join(".")
}
