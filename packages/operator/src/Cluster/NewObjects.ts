/** What an API server adds to an object of its own accord and what it leaves out, as far as the operator could notice. Pure. */
import * as Predicate from "effect/Predicate"
import { at } from "../Manifest.ts"
import { withJobDefaults } from "./Jobs.ts"

/** Keeps a claim while a pod uses it. */
export const claimProtection = "kubernetes.io/pvc-protection"

type Fields = Record<string, unknown>

const withMetadata = (object: Fields, more: Fields): Fields => ({
  ...object,
  metadata: { ...(object.metadata as Fields), ...more },
})

const isEmpty = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : Predicate.isObject(value) && Object.keys(value).length === 0

const withoutEmpty = (object: Fields, names: ReadonlyArray<string>): Fields =>
  Object.fromEntries(Object.entries(object).filter(([name, value]) => !names.includes(name) || !isEmpty(value)))

/**
 * An empty map or list means the same to a built-in kind as none, and is not kept where that is so. (Where it is not, as
 * in a selector, it is.) A custom resource is kept as it is, below its metadata.
 */
export const withoutEmpties = (object: Fields): Fields => ({
  ...(object.kind === "Agent" ? object : withoutEmpty(object, ["data", "subjects", "rules"])),
  metadata: withoutEmpty(object.metadata as Fields, ["labels", "annotations", "finalizers", "ownerReferences"]),
})

/** `name` and `uid` are those that the object is stored with. */
export const asCreated = (object: Fields, name: string, uid: string): Fields => {
  switch (object.kind) {
    case "Job":
      return withJobDefaults(object, name, uid)
    case "Namespace":
      return withMetadata(object, {
        labels: { ...(at(object, "metadata", "labels") as Fields | undefined), "kubernetes.io/metadata.name": name },
      })
    case "PersistentVolumeClaim":
      return withMetadata(object, {
        finalizers: [...((at(object, "metadata", "finalizers") ?? []) as ReadonlyArray<string>), claimProtection],
      })
    default:
      return object
  }
}
