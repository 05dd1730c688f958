import * as Effect from "effect/Effect"
import type { Cluster } from "../../src/Cluster.ts"
import { layerMemory } from "../../src/Cluster/Memory.ts"
import type { PodProcess } from "../../src/Cluster/Pods.ts"
import { clusterContract } from "../../src/testing/ClusterContract.ts"

/** More changes than the memory cluster remembers. */
const forgotten = (cluster: Cluster["Service"]) =>
  Effect.forEach(
    Array.from({ length: 5_100 }, (_, change) => change),
    (x) =>
      cluster.apply({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "a", namespace: "default" },
        data: { x: String(x) },
      }),
    { discard: true },
  ).pipe(Effect.as("1"))

const log = "started"
const process: PodProcess = (_, node) => Effect.sync(() => node.log(log))

clusterContract("memory", layerMemory({ startAfter: "20 millis", stopAfter: "20 millis", process }), {
  pods: true,
  patience: 15,
  log,
  forgotten,
})
