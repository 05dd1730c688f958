/** What the parts of the contract share: a test in a namespace of its own, and waiting for what a server does by and by. */
import { assert, it } from "@effect/vitest"
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { Cluster } from "../../Cluster.ts"
import type { Manifest, Ref } from "../../Manifest.ts"

export interface ContractOptions {
  /** Whether something starts pods. */
  readonly pods: boolean
  /** How long what a server does by and by may take, in seconds. */
  readonly patience: number
  /** What every container of a test writes into its log; absent where no node keeps logs. */
  readonly log?: string
  /** Brings the cluster to forget a place in its history, and gives that place. */
  readonly forgotten: (cluster: Cluster["Service"]) => Effect.Effect<string, unknown>
}

export const configMap = (
  namespace: string,
  name: string,
  data: Readonly<Record<string, string>>,
  more: object = {},
): Manifest => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels: { "contract.test/of": namespace }, ...more },
  data,
})

export const deployment = (namespace: string, replicas: number, version: string): Manifest => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "app", namespace },
  spec: {
    replicas,
    strategy: { type: "Recreate" },
    selector: { matchLabels: { app: namespace } },
    template: {
      metadata: { labels: { app: namespace }, annotations: { version } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "app", image: "web:test", imagePullPolicy: "Never" }],
      },
    },
  },
})

export const refOfMap = (namespace: string, name: string): Ref => ({ kind: "ConfigMap", namespace, name })

/** Applies what the server must call invalid, in words that match. */
const refuses = (cluster: Cluster["Service"], manifest: Manifest, what: string, message: RegExp) =>
  Effect.gen(function* () {
    const refused = yield* Effect.result(cluster.apply(manifest))
    const failure = Result.isFailure(refused) ? refused.failure : undefined
    assert.deepStrictEqual(
      [failure?._tag, failure?._tag === "Refused" ? failure.reason : undefined],
      ["Refused", "Invalid"],
      `${what}: ${failure?.message ?? "stored"}`,
    )
    assert.match(failure?.message ?? "", message, what)
  })

export const stageOn = (layer: Layer.Layer<Cluster, unknown>, options: ContractOptions) => {
  let count = 0
  const { patience } = options

  /** Asks again until it holds. */
  const eventually = <A, E>(check: Effect.Effect<A | undefined, E>): Effect.Effect<A, E> =>
    check.pipe(
      Effect.repeat({
        schedule: Schedule.spaced("50 millis"),
        until: (found) => found !== undefined,
        times: patience * 20,
      }),
      Effect.map((found) => {
        assert.isDefined(found)
        return found
      }),
    )

  const gone = (cluster: Cluster["Service"], ref: Ref) =>
    eventually(Effect.map(cluster.get(ref), (found) => (Option.isNone(found) ? true : undefined)))

  /** What a watch tells, if it tells all of it in time. */
  const toldBy = <A, E>(watch: Fiber.Fiber<A, E>): Effect.Effect<A, E | Cause.TimeoutError> =>
    Fiber.join(watch).pipe(Effect.timeout(`${patience} seconds`))

  /** A test in a namespace of its own. */
  const test = <E>(
    title: string,
    body: (cluster: Cluster["Service"], namespace: string) => Effect.Effect<void, E>,
    labels: Readonly<Record<string, string>> = {},
  ): void => {
    const namespace = `contract-${++count}-${process.pid}`
    it.live(
      title,
      () =>
        Effect.gen(function* () {
          const cluster = yield* Cluster
          yield* cluster.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } })
          yield* body(cluster, namespace).pipe(
            Effect.ensuring(cluster.remove({ kind: "Namespace", name: namespace }).pipe(Effect.ignore)),
          )
        }).pipe(Effect.provide(layer)),
      (patience + 30) * 1_000,
    )
  }
  return { test, eventually, gone, toldBy, refuses, options }
}

export type Stage = ReturnType<typeof stageOn>
