/** Deletion: the very object, finalizers, garbage collection, whole namespaces. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { configMap, refOfMap, type Stage } from "./Stage.ts"

export const deleting = ({ test, eventually, gone }: Stage): void => {
  test("removes only the very object that was named", (cluster, namespace) =>
    Effect.gen(function* () {
      const stored = yield* cluster.apply(configMap(namespace, "a", { x: "0" }))
      const other = yield* Effect.result(
        cluster.remove(refOfMap(namespace, "a"), { uid: "00000000-0000-4000-8000-ffffffffffff" }),
      )
      assert.strictEqual(Result.isFailure(other) ? other.failure._tag : "removed", "Conflict")
      yield* cluster.remove(refOfMap(namespace, "a"), { uid: stored.metadata.uid })
      yield* gone(cluster, refOfMap(namespace, "a"))
    }))

  test("keeps a deleted object until its finalizers are dropped", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(configMap(namespace, "a", { x: "0" }, { finalizers: ["contract.test/hold"] }))
      yield* cluster.remove(refOfMap(namespace, "a"))
      const held = Option.getOrThrow(yield* cluster.get(refOfMap(namespace, "a")))
      assert.isDefined(held.metadata.deletionTimestamp)
      yield* cluster.apply(configMap(namespace, "a", { x: "0" }))
      yield* gone(cluster, refOfMap(namespace, "a"))
    }))

  test("takes no new finalizer for what is being deleted", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(configMap(namespace, "a", { x: "0" }, { finalizers: ["contract.test/hold"] }))
      yield* cluster.remove(refOfMap(namespace, "a"))
      const more = { finalizers: ["contract.test/hold", "contract.test/more"] }
      const refused = yield* Effect.result(cluster.apply(configMap(namespace, "a", { x: "0" }, more)))
      assert.isTrue(
        Result.isFailure(refused) && refused.failure._tag === "Refused" && refused.failure.reason === "Invalid",
      )
      yield* cluster.apply(configMap(namespace, "a", { x: "0" }))
      yield* gone(cluster, refOfMap(namespace, "a"))
    }))

  test("collects what a deleted object owned", (cluster, namespace) =>
    Effect.gen(function* () {
      const owner = yield* cluster.apply(configMap(namespace, "owner", { x: "0" }))
      const reference = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid }
      yield* cluster.apply(configMap(namespace, "owned", { x: "0" }, { ownerReferences: [reference] }))
      yield* cluster.remove(refOfMap(namespace, "owner"))
      yield* gone(cluster, refOfMap(namespace, "owned"))
    }))

  test("deletes a namespace with all that is in it, and takes nothing in meanwhile", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(configMap(namespace, "a", { x: "0" }, { finalizers: ["contract.test/hold"] }))
      yield* cluster.remove({ kind: "Namespace", name: namespace })
      const late = yield* Effect.result(cluster.apply(configMap(namespace, "late", { x: "0" })))
      assert.isTrue(Result.isFailure(late) && late.failure._tag === "Refused" && late.failure.reason === "Terminating")
      yield* eventually(
        Effect.map(cluster.get(refOfMap(namespace, "a")), (found) =>
          Option.isSome(found) && found.value.metadata.deletionTimestamp !== undefined ? true : undefined,
        ),
      )
      yield* cluster.apply(configMap(namespace, "a", { x: "0" }))
      yield* gone(cluster, { kind: "Namespace", name: namespace })
      assert.isTrue(Option.isNone(yield* cluster.get(refOfMap(namespace, "a"))))
    }))
}
