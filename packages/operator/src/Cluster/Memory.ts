/**
 * A cluster in this process: an API server's rules, tiny controllers and a kubelet whose containers are effects.
 * It keeps nothing over a restart: the operator fills it again from jobs. Where it differs from Kubernetes, it is wrong;
 * `testing/ClusterContract.ts` holds both to the same.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { Cluster, Expired, fieldManager, type WatchEvent, whole } from "../Cluster.ts"
import { kinds } from "../Kinds.ts"
import { type JsonObject, refOf, type Stored } from "../Manifest.ts"
import { controllerManager, pass, processOf } from "./Controllers.ts"
import { make, type MemoryStore, selects } from "./MemoryStore.ts"
import { type PodProcess, resolve } from "./Pods.ts"

export interface MemoryOptions {
  /** From a pod's creation until its process starts. */
  readonly startAfter?: Duration.Input
  /** From a pod's deletion until it is gone. */
  readonly stopAfter?: Duration.Input
  /** What runs in each pod; nothing, and Ready at once, unless told. */
  readonly process?: PodProcess
  /** Namespaces that stand from the beginning. */
  readonly namespaces?: ReadonlyArray<string>
}

const kubelet = "kubelet"

export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<Cluster> =>
  Layer.effect(
    Cluster,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const store = make(() => DateTime.formatIso(DateTime.makeUnsafe(clock.currentTimeMillisUnsafe())))
      yield* runControllers(store, options)
      for (const name of options.namespaces ?? ["platform", "berth-agents"])
        store.apply(
          { apiVersion: "v1", kind: "Namespace", metadata: { name } },
          { manager: controllerManager, force: true },
        )

      return Cluster.of({
        apply: (manifest, apply) =>
          Effect.suspend(() =>
            Effect.fromResult(
              store.apply(manifest, { manager: apply?.manager ?? fieldManager, force: apply?.force ?? true }),
            ),
          ).pipe(Effect.flatMap((stored) => whole(manifest, apply, stored))),
        get: (ref) => Effect.sync(() => store.get(ref)),
        list: (kind, selector = {}) => Effect.sync(() => store.list(kind, selector)),
        remove: (ref, remove) => Effect.suspend(() => Effect.fromResult(store.remove(ref, remove?.uid))),
        merge: (ref, patch) =>
          Effect.suspend(() =>
            Effect.fromResult(
              store.update(ref, fieldManager, (object) => mergePatch(object, patch) as Record<string, unknown>),
            ),
          ),
        patchStatus: (name, status) =>
          Effect.suspend(() =>
            Effect.fromResult(
              store.apply(
                { apiVersion: kinds.Agent.apiVersion, kind: "Agent", metadata: { name }, status },
                { manager: fieldManager, force: true, status: true },
              ),
            ),
          ),
        watch: (kind, selector, since) =>
          Stream.callback<WatchEvent, Expired>(
            (queue) =>
              Effect.acquireRelease(
                Effect.suspend(() => {
                  const past = store.since(Number(since))
                  if (past === undefined) {
                    Queue.failCauseUnsafe(queue, Cause.fail(new Expired({ kind })))
                    return Effect.succeed(() => {})
                  }
                  const tell = (event: WatchEvent) => {
                    if (event.object.kind !== kind || !selects(selector, event.object)) return
                    if (!Queue.offerUnsafe(queue, event))
                      Queue.failCauseUnsafe(queue, Cause.fail(new Expired({ kind })))
                  }
                  for (const { event } of past) tell(event)
                  return Effect.succeed(store.listen(({ event }) => tell(event)))
                }),
                (stop) => Effect.sync(stop),
              ),
            { bufferSize: 10_000 },
          ),
      })
    }),
  )

const runControllers = Effect.fnUntraced(function* (store: MemoryStore, options: MemoryOptions) {
  const wake = yield* Queue.sliding<void>(1)
  const starting = yield* FiberMap.make<string>()
  const stopping = yield* FiberMap.make<string>()
  let serial = 0
  yield* Effect.acquireRelease(
    Effect.sync(() => store.listen(() => Queue.offerUnsafe(wake, undefined))),
    (stop) => Effect.sync(stop),
  )
  yield* Queue.take(wake).pipe(
    Effect.andThen(
      Effect.suspend(() => {
        pass(store, () => ++serial)
        return Effect.forEach(
          store.all().filter((object) => object.kind === "Pod"),
          (pod) =>
            pod.metadata.deletionTimestamp === undefined
              ? FiberMap.run(starting, processOf(pod), runPod(store, pod, options), { onlyIfMissing: true })
              : FiberMap.run(
                  stopping,
                  processOf(pod),
                  FiberMap.remove(starting, processOf(pod)).pipe(
                    Effect.andThen(Effect.sleep(options.stopAfter ?? "200 millis")),
                    Effect.andThen(Effect.sync(() => store.purge(refOf(pod)))),
                  ),
                  { onlyIfMissing: true },
                ),
          { discard: true },
        )
      }),
    ),
    Effect.forever,
    Effect.forkScoped,
  )
})

/** One pod's life on the node: wait for what it mounts, start, be Ready, and start again after a failure. */
const runPod = Effect.fnUntraced(function* (store: MemoryStore, pod: Stored, options: MemoryOptions) {
  const report = (phase: string, ready: boolean, waiting: JsonObject | undefined) =>
    Effect.sync(() =>
      store.update(refOf(pod), kubelet, (object) => ({
        ...object,
        status: {
          phase,
          conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
          containerStatuses: [
            { name: "openclaw", ready, state: waiting === undefined ? { running: {} } : { waiting } },
          ],
        },
      })),
    )
  const start = Effect.gen(function* () {
    yield* Effect.sleep(options.startAfter ?? "400 millis")
    const resolved = resolve(pod, store.find)
    if ("missing" in resolved) {
      yield* report("Pending", false, {
        reason: "CreateContainerConfigError",
        message: `${resolved.missing} not found`,
      })
      return
    }
    yield* Effect.scoped(
      Effect.gen(function* () {
        if (options.process !== undefined) yield* options.process(resolved.running)
        yield* report("Running", true, undefined)
        yield* Effect.never
      }),
    )
  }).pipe(
    Effect.catchTag("PodFailed", ({ reason, message }) => report("Running", false, { reason, message })),
    Effect.andThen(Effect.sleep("2 seconds")),
  )
  yield* Effect.forever(start)
})

/** RFC 7386: null removes, maps merge, everything else replaces. */
const mergePatch = (target: unknown, patch: unknown): unknown => {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch
  const merged: Record<string, unknown> =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  return merged
}
