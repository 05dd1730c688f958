/** Lists, and watches from there on. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { at } from "../../Manifest.ts"
import { configMap, refOfMap, type Stage } from "./Stage.ts"

export const watching = ({ test, eventually, toldBy, options }: Stage): void => {
  test("lists by label, and tells every later change in order, also those before the watch began", (cluster, namespace) =>
    Effect.gen(function* () {
      yield* cluster.apply(configMap(namespace, "before", { x: "0" }))
      const selector = { labels: { "contract.test/of": namespace } }
      const listed = yield* cluster.list("ConfigMap", selector)
      assert.deepStrictEqual(
        listed.items.map((item) => item.metadata.name),
        ["before"],
      )
      assert.deepStrictEqual([listed.items[0]?.kind, listed.items[0]?.apiVersion], ["ConfigMap", "v1"])
      yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      const seen = yield* cluster
        .watch("ConfigMap", selector, listed.resourceVersion)
        .pipe(Stream.take(3), Stream.runCollect, Effect.forkChild)
      yield* cluster.apply(configMap(namespace, "a", { x: "2" }))
      yield* cluster.remove(refOfMap(namespace, "a"))
      const events = yield* toldBy(seen)
      assert.deepStrictEqual(
        [...events].map(({ type, object }) => [type, object.metadata.name, at(object, "data", "x")]),
        [
          ["ADDED", "a", "1"],
          ["MODIFIED", "a", "2"],
          ["DELETED", "a", "2"],
        ],
      )
    }))

  test("tells a watch that an object came into its sight or went out of it", (cluster, namespace) =>
    Effect.gen(function* () {
      const selector = { labels: { "contract.test/seen": namespace } }
      const seen = { labels: { "contract.test/of": namespace, "contract.test/seen": namespace } }
      yield* cluster.apply(configMap(namespace, "a", { x: "1" }))
      const { resourceVersion } = yield* cluster.list("ConfigMap", selector)
      const events = yield* cluster
        .watch("ConfigMap", selector, resourceVersion)
        .pipe(Stream.take(4), Stream.runCollect, Effect.forkChild)
      yield* cluster.apply(configMap(namespace, "a", { x: "2" }, seen))
      yield* cluster.apply(configMap(namespace, "a", { x: "3" }, seen))
      const out = yield* cluster.apply(configMap(namespace, "a", { x: "4" }))
      yield* cluster.apply(configMap(namespace, "b", { x: "0" }, seen))
      const told = [...(yield* toldBy(events))]
      assert.deepStrictEqual(
        told.map(({ type, object }) => [type, object.metadata.name, at(object, "data", "x")]),
        [
          ["ADDED", "a", "2"],
          ["MODIFIED", "a", "3"],
          ["DELETED", "a", "3"],
          ["ADDED", "b", "0"],
        ],
      )
      assert.strictEqual(told[2]?.object.metadata.resourceVersion, out.metadata.resourceVersion)
    }))

  test("tells a watch whose place is forgotten to list again", (cluster, namespace) =>
    Effect.gen(function* () {
      const place = yield* options.forgotten(cluster)
      yield* cluster.apply(configMap(namespace, "a", { x: "0" }))
      // A server that has just started may still answer from its store, which remembers longer.
      const told = Stream.runHead(cluster.watch("ConfigMap", { namespace }, place)).pipe(
        Effect.timeout("10 seconds"),
        Effect.result,
      )
      yield* eventually(
        Effect.map(told, (result) =>
          Result.isFailure(result) && result.failure._tag === "Expired" ? true : undefined,
        ),
      )
    }))
}
