/** The contract of the Cluster port on a real kube-apiserver, as its administrator. */
import { KubeConfig } from "@kubernetes/client-node"
import { afterAll, beforeAll } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type { Cluster } from "../../src/Cluster.ts"
import { layerOf } from "../../src/live/ClusterKubernetes.ts"
import { clusterContract } from "../../src/testing/ClusterContract.ts"
import { ControlPlane } from "../cluster/ControlPlane.ts"

const scope = Scope.makeUnsafe()
let plane: ControlPlane["Service"]

beforeAll(async () => {
  plane = await Effect.runPromise(Scope.provide(ControlPlane.make(), scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const administrator = Layer.unwrap(
  Effect.sync(() => {
    const config = new KubeConfig()
    config.loadFromFile(plane.admin)
    return layerOf(config)
  }),
)

/** An apiserver that starts remembers nothing from before. */
const forgotten = (cluster: Cluster["Service"]) =>
  Effect.gen(function* () {
    const { resourceVersion } = yield* cluster.list("ConfigMap", { namespace: "default" })
    for (const x of ["1", "2"])
      yield* cluster.apply({
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "forgotten", namespace: "default" },
        data: { x },
      })
    yield* plane.restart("kube-apiserver")
    return resourceVersion
  })

clusterContract("kube-apiserver", administrator, { pods: true, patience: 90, forgotten })
