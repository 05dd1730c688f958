/** Apply, ownership, versions and patches. */
import { assert } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { networkPolicy } from "../../desired/NetworkPolicy.ts"
import { embedded } from "../../Settings.ts"
import { at } from "../../Manifest.ts"
import { configMap, refOfMap, type Stage } from "./Stage.ts"

export const applying = ({ test }: Stage): void => {
  test("stores nothing when the same is applied again", (cluster, namespace) =>
    Effect.gen(function* () {
      const first = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      const second = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      assert.strictEqual(second.metadata.resourceVersion, first.metadata.resourceVersion)
      assert.strictEqual(second.metadata.uid, first.metadata.uid)
    }))

  test("keeps every rule of a NetworkPolicy", (cluster, namespace) =>
    Effect.gen(function* () {
      const built = networkPolicy(CustomerId.make("a"), embedded)
      const policy = { ...built, metadata: { name: "wall", namespace } }
      yield* cluster.apply(policy)
      const stored = yield* cluster.get({ kind: "NetworkPolicy", namespace, name: "wall" })
      assert.deepStrictEqual(at(Option.getOrThrow(stored), "spec"), built.spec)
    }))

  test("refuses another manager's field, unless forced, which takes it over", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      const other = { manager: "someone-else", force: false }
      const refused = yield* Effect.result(cluster.apply(configMap(namespace, "a", { x: "2" }), other))
      assert.strictEqual(Result.isFailure(refused) ? refused.failure._tag : "stored", "Conflict")
      const same = yield* cluster.apply(configMap(namespace, "a", { x: "1" }), other)
      assert.strictEqual(at(same, "data", "x"), "1")
      yield* cluster.apply(configMap(namespace, "a", { x: "3" }), { manager: "someone-else" })
      const back = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      assert.strictEqual(at(back, "data", "x"), "1")
    }))

  test("drops a field that its only owner no longer sets, and keeps what others own", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(configMap(namespace, "a", { mine: "1", shared: "1" }))
      yield* cluster.apply(configMap(namespace, "a", { shared: "1", theirs: "1" }), { manager: "someone-else" })
      const stored = yield* cluster.apply(configMap(namespace, "a", { x: "0" }))
      assert.deepStrictEqual(stored.data, { shared: "1", theirs: "1", x: "0" })
    }))

  test("changes an object only at the version that was named", (cluster, namespace) =>
    Effect.gen(function* () {
      const first = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      const { resourceVersion } = first.metadata
      yield* cluster.apply(configMap(namespace, "a", { x: "2" }, { resourceVersion }))
      const stale = yield* Effect.result(cluster.apply(configMap(namespace, "a", { x: "3" }, { resourceVersion })))
      assert.strictEqual(Result.isFailure(stale) ? stale.failure._tag : "stored", "Conflict")
      const merged = yield* Effect.result(
        cluster.merge(refOfMap(namespace, "a"), { metadata: { resourceVersion }, data: { x: "4" } }),
      )
      assert.strictEqual(Result.isFailure(merged) ? merged.failure._tag : "stored", "Conflict")
      assert.strictEqual(at(Option.getOrThrow(yield* cluster.get(refOfMap(namespace, "a"))), "data", "x"), "2")
    }))

  test("merges a patch: null removes, the rest replaces", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(configMap(namespace, "a", { x: "1", y: "1" }))
      const merged = yield* cluster.merge(refOfMap(namespace, "a"), { data: { x: null, y: "2" } })
      assert.deepStrictEqual(merged.data, { y: "2" })
    }))

  test("changes nothing of what isn't there", (cluster, namespace) =>
    Effect.gen(function* () {
      const merged = yield* Effect.result(cluster.merge(refOfMap(namespace, "none"), { data: { x: "1" } }))
      assert.strictEqual(Result.isFailure(merged) ? merged.failure._tag : "merged", "NotFound")
      assert.isTrue(Option.isNone(yield* cluster.get(refOfMap(namespace, "none"))))
    }))

  test("makes anew what is gone, although a version is named, but not if its uid is named", (cluster, namespace) =>
    Effect.gen(function* () {
      const first = yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      const { resourceVersion, uid } = first.metadata
      yield* cluster.remove(refOfMap(namespace, "a"))
      const named = yield* Effect.result(cluster.apply(configMap(namespace, "a", { x: "1" }, { uid })))
      assert.strictEqual(Result.isFailure(named) ? named.failure._tag : "stored", "Conflict")
      const again = yield* cluster.apply(configMap(namespace, "a", { x: "1" }, { resourceVersion }))
      assert.notStrictEqual(again.metadata.uid, uid)
    }))

  test("says so when it kept less than was meant", (cluster, namespace) =>
    Effect.gen(function* () {
      const empty = yield* Effect.result(cluster.apply(configMap(namespace, "a", {})))
      assert.isTrue(Result.isFailure(empty) && empty.failure._tag === "Refused" && empty.failure.reason === "FieldLost")
    }))
}
