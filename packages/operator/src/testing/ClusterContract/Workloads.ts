/** Deployments and Jobs: the pods that they make, count and remove. */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Cluster } from "../../Cluster.ts"
import { at, type Manifest, type Ref } from "../../Manifest.ts"
import { deployment, type Stage } from "./Stage.ts"

const job = (namespace: string, more: object = {}): Manifest => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "once", namespace },
  spec: {
    parallelism: 1,
    completions: 1,
    completionMode: "NonIndexed",
    suspend: false,
    podReplacementPolicy: "TerminatingOrFailed",
    backoffLimit: 0,
    template: {
      metadata: { labels: { app: namespace } },
      spec: { restartPolicy: "Never", containers: [{ name: "once", image: "once:test", imagePullPolicy: "Never" }] },
    },
    ...more,
  },
})

const conditionOf = (object: unknown, type: string): unknown => {
  const conditions = at(object, "status", "conditions")
  return Array.isArray(conditions) ? conditions.find((one) => at(one, "type") === type) : undefined
}

export const workloads = ({ test, eventually, gone, options }: Stage): void => {
  if (options.pods)
    test("runs as many pods as a Deployment asks for, and replaces them when its template changes", (cluster, namespace) =>
      Effect.gen(function* () {
        const ready = (version: string) =>
          eventually(
            Effect.map(cluster.list("Pod", { namespace }), ({ items }) => {
              const [pod, ...others] = items
              const conditions = (at(pod, "status", "conditions") ?? []) as ReadonlyArray<unknown>
              const isReady = conditions.some((one) => at(one, "type") === "Ready" && at(one, "status") === "True")
              return others.length === 0 && isReady && pod?.metadata.annotations?.version === version ? pod : undefined
            }),
          )
        yield* cluster.apply(deployment(namespace, 1, "1"))
        const first = yield* ready("1")
        yield* cluster.apply(deployment(namespace, 1, "2"))
        const second = yield* ready("2")
        assert.notStrictEqual(second.metadata.uid, first.metadata.uid)
        yield* cluster.apply(deployment(namespace, 0, "2"))
        yield* eventually(
          Effect.map(cluster.list("Pod", { namespace }), ({ items }) => (items.length === 0 ? true : undefined)),
        )
      }))

  const jobRef = (namespace: string): Ref => ({ kind: "Job", namespace, name: "once" })
  const finished = (cluster: Cluster["Service"], namespace: string, type: "Complete" | "Failed") =>
    eventually(
      Effect.map(cluster.get(jobRef(namespace)), (found) => {
        const one = Option.getOrUndefined(found)
        return conditionOf(one, type) === undefined ? undefined : one
      }),
    )

  test("keeps what a Job was made with: its template can't change", (cluster, namespace) =>
    Effect.gen(function* () {
      const made = yield* cluster.apply(job(namespace, { suspend: true }))
      const uid = made.metadata.uid
      assert.strictEqual(at(made, "spec", "selector", "matchLabels", "batch.kubernetes.io/controller-uid"), uid)
      const again = yield* cluster.apply(job(namespace, { suspend: true }))
      assert.strictEqual(again.metadata.generation, made.metadata.generation)
      const changed = yield* Effect.result(
        cluster.apply(job(namespace, { suspend: true, completions: 2, parallelism: 2 })),
      )
      assert.isTrue(
        Result.isFailure(changed) && changed.failure._tag === "Refused" && changed.failure.reason === "Invalid",
      )
    }))

  if (options.pods) {
    test("runs a Job's pod to its end, counts it once, and removes all of it after its time", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(job(namespace, { ttlSecondsAfterFinished: 2 }))
        const done = yield* finished(cluster, namespace, "Complete")
        assert.deepStrictEqual([at(done, "status", "succeeded"), at(done, "status", "failed")], [1, undefined])
        assert.isString(at(done, "status", "completionTime"))
        const { items } = yield* cluster.list("Pod", { namespace })
        assert.deepStrictEqual(
          items.map((pod) => [
            at(pod, "status", "phase"),
            pod.metadata.labels?.["batch.kubernetes.io/job-name"],
            pod.metadata.finalizers ?? [],
          ]),
          [["Succeeded", "once", []]],
        )
        yield* gone(cluster, jobRef(namespace))
        yield* eventually(
          Effect.map(cluster.list("Pod", { namespace }), (pods) => (pods.items.length === 0 ? true : undefined)),
        )
      }))

    test("removes a Job's pods with the Job", (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(job(namespace))
        yield* finished(cluster, namespace, "Complete")
        yield* cluster.remove(jobRef(namespace))
        yield* eventually(
          Effect.map(cluster.list("Pod", { namespace }), (pods) => (pods.items.length === 0 ? true : undefined)),
        )
      }))
  }
}
