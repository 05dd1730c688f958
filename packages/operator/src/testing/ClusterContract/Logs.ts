/** Logs of containers, as a node keeps them; and what is said where no node keeps any. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Cluster } from "../../Cluster.ts"
import { at } from "../../Manifest.ts"
import { deployment, type Stage } from "./Stage.ts"

export const logs = ({ test, eventually, options }: Stage): void => {
  if (!options.pods) return

  /** The one pod of a Deployment, once it is Ready. */
  const running = (cluster: Cluster["Service"], namespace: string) =>
    Effect.andThen(
      cluster.apply(deployment(namespace, 1, "1")),
      eventually(
        Effect.map(cluster.list("Pod", { namespace }), ({ items: [pod] }) => {
          const conditions = (at(pod, "status", "conditions") ?? []) as ReadonlyArray<unknown>
          return conditions.some((one) => at(one, "type") === "Ready" && at(one, "status") === "True") ? pod : undefined
        }),
      ),
    )
  const wanted = { container: "app", lines: 5, previous: false }

  test("says plainly whose log there is not", (cluster, namespace) =>
    Effect.gen(function* () {
      const { metadata } = yield* running(cluster, namespace)
      const none = yield* Effect.result(cluster.logs({ namespace, name: "none" }, wanted))
      assert.strictEqual(Result.isFailure(none) ? none.failure._tag : "given", "NotFound")
      const other = yield* Effect.result(
        cluster.logs({ namespace, name: metadata.name }, { ...wanted, container: "b" }),
      )
      const refused = Result.isFailure(other) ? other.failure : undefined
      assert.deepInclude(refused, { _tag: "Refused", reason: "Invalid" })
      assert.match(refused?.message ?? "", /not valid for pod/)
    }))

  const { log } = options
  if (log === undefined)
    test("says that the node gives no log where it gives none", (cluster, namespace) =>
      Effect.gen(function* () {
        const { metadata } = yield* running(cluster, namespace)
        const asked = yield* Effect.result(cluster.logs({ namespace, name: metadata.name }, wanted))
        assert.include(["NotFound", "ClusterUnavailable"], Result.isFailure(asked) ? asked.failure._tag : "given")
      }))
  else
    test("gives the end of a container's log, each line after its time", (cluster, namespace) =>
      Effect.gen(function* () {
        const { metadata } = yield* running(cluster, namespace)
        const pod = { namespace, name: metadata.name }
        const text = yield* eventually(
          Effect.map(cluster.logs(pod, wanted), (given) => (given.includes(log) ? given : undefined)),
        )
        assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z .*\n$/m)
        const last = yield* cluster.logs(pod, { ...wanted, lines: 1 })
        assert.strictEqual(last.split("\n").length, 2)
        const before = yield* Effect.result(cluster.logs(pod, { ...wanted, previous: true }))
        assert.deepInclude(Result.isFailure(before) ? before.failure : undefined, {
          _tag: "Refused",
          reason: "Invalid",
        })
      }))
}
