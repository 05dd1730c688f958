import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { Cluster } from "../../src/Cluster.ts"
import { layerMemory } from "../../src/Cluster/Memory.ts"
import { clusterContract } from "../../src/testing/ClusterContract.ts"

clusterContract("memory", layerMemory({ startAfter: "20 millis", stopAfter: "20 millis" }), { pods: true })

describe("the memory cluster", () => {
  it.effect("tells a watch that is too far behind to list again", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const apply = (x: number) =>
        cluster.apply({
          apiVersion: "v1",
          kind: "ConfigMap",
          metadata: { name: "a", namespace: "platform" },
          data: { x: String(x) },
        })
      for (let change = 0; change < 5_100; change++) yield* apply(change)
      const exit = yield* Effect.exit(Stream.runHead(cluster.watch("ConfigMap", {}, "1")))
      assert.isTrue(Exit.isFailure(exit))
      assert.include(JSON.stringify(exit), "Expired")
    }).pipe(Effect.provide(layerMemory())),
  )
})
