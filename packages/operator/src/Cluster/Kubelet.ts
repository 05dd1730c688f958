/**
 * The memory cluster's node: a pod's process starts once everything it mounts is there, is started again after a failure
 * unless the pod is one that ends, and is stopped before the pod goes. What a process keeps on a volume outlives the pod.
 */
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberMap from "effect/FiberMap"
import * as Result from "effect/Result"
import { at, type JsonObject, nameOf, refOf, type Stored } from "../Manifest.ts"
import { hasEnded } from "./Jobs.ts"
import type { MemoryStore } from "./MemoryStore.ts"
import { type Node, nodeIp } from "./Node.ts"
import { type PodProcess, resolve, type VolumeFiles } from "./Pods.ts"

const manager = "kubelet"

export interface KubeletOptions {
  /** From a pod's creation until its process starts. */
  readonly startAfter?: Duration.Input
  /** From a pod's deletion until it is gone. */
  readonly stopAfter?: Duration.Input
  /** What runs in each pod; nothing, and Ready or ended at once, unless told. */
  readonly process?: PodProcess
}

/** Identity of one pod's process in keys. */
const processOf = (pod: Stored): string => `${nameOf(refOf(pod))} ${pod.metadata.uid}`

const now = Effect.map(DateTime.now, (instant) => DateTime.formatIso(instant).replace(/\.\d+Z$/, "Z"))

/** A kubelet on this store; the effect it gives looks at every pod once, and is to be run after each change. */
export const make = Effect.fnUntraced(function* (store: MemoryStore, node: Node, options: KubeletOptions) {
  const starting = yield* FiberMap.make<string>()
  const stopping = yield* FiberMap.make<string>()
  const volumes = yield* keepVolumes(store)

  const stop = (pod: Stored) =>
    FiberMap.remove(starting, processOf(pod)).pipe(
      Effect.andThen(Effect.sleep(options.stopAfter ?? "200 millis")),
      Effect.andThen(
        Effect.gen(function* () {
          // A finalizer holds the pod, not its process: whoever put it there sees how the pod ended.
          if ((pod.metadata.finalizers ?? []).length === 0) return store.purge(refOf(pod))
          yield* report(store, pod, ended(pod, { exitCode: 143, reason: "Error" }, yield* now))
        }),
      ),
    )

  return Effect.suspend(() =>
    Effect.forEach(
      store.all().filter((object) => object.kind === "Pod"),
      (pod) => {
        if (pod.metadata.deletionTimestamp !== undefined)
          return hasEnded(pod) && (pod.metadata.finalizers ?? []).length > 0
            ? Effect.void
            : FiberMap.run(stopping, processOf(pod), stop(pod), { onlyIfMissing: true })
        return hasEnded(pod)
          ? Effect.void
          : FiberMap.run(starting, processOf(pod), run(store, node, volumes, pod, options), { onlyIfMissing: true })
      },
      { discard: true },
    ),
  )
})

/** What stands on each volume. A volume that is deleted, not merely forgotten, takes its data with it. */
const keepVolumes = Effect.fnUntraced(function* (store: MemoryStore) {
  const volumes = new Map<string, VolumeFiles>()
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      store.listen(({ event }) => {
        const { kind, metadata, spec } = event.object
        if (event.type !== "DELETED" || kind !== "PersistentVolume") return
        if (at(spec, "persistentVolumeReclaimPolicy") === "Delete") volumes.delete(metadata.name)
      }),
    ),
    (stop) => Effect.sync(stop),
  )
  return (name: string): VolumeFiles => {
    const files = volumes.get(name) ?? new Map<string, string>()
    volumes.set(name, files)
    return files
  }
})

const report = (store: MemoryStore, pod: Stored, status: JsonObject) =>
  Effect.sync(() => void store.update(refOf(pod), manager, (object) => ({ ...object, status })))

const containerOf = (pod: Stored): string => String(at(pod, "spec", "containers", 0, "name"))

const conditions = (ready: boolean, reason?: string) =>
  ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
    type,
    status: ready || type === "PodScheduled" || type === "Initialized" ? "True" : "False",
    ...(reason === undefined || ready ? {} : { reason }),
  }))

/** How often it was started again, and how the run before ended. */
interface Past {
  readonly restarts: number
  readonly lastState?: JsonObject
}

const alive = (pod: Stored, phase: string, ready: boolean, state: JsonObject, { restarts, lastState }: Past) => ({
  phase,
  conditions: conditions(ready),
  containerStatuses: [
    {
      name: containerOf(pod),
      ready,
      restartCount: restarts,
      state,
      ...(lastState === undefined ? {} : { lastState }),
    },
  ],
})

/** What a kubelet says of how a process ended; of everything else it says why it waits. */
const endings = new Set(["OOMKilled", "Error"])

interface Termination {
  readonly exitCode: number
  readonly reason: string
  readonly message?: string
}

const ended = (pod: Stored, { exitCode, reason, message }: Termination, finishedAt: string): JsonObject => ({
  phase: exitCode === 0 ? "Succeeded" : "Failed",
  conditions: conditions(false, exitCode === 0 ? "PodCompleted" : "PodFailed"),
  containerStatuses: [
    {
      name: containerOf(pod),
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode, reason, finishedAt, ...(message === undefined ? {} : { message }) } },
    },
  ],
})

/** One pod's life on the node. */
const run = Effect.fnUntraced(function* (
  store: MemoryStore,
  node: Node,
  volumes: (name: string) => VolumeFiles,
  pod: Stored,
  options: KubeletOptions,
) {
  const policy = at(pod, "spec", "restartPolicy") ?? "Always"
  const process: PodProcess = options.process ?? (() => Effect.void)
  const addressed = { podIP: node.settle(pod), hostIP: nodeIp }
  let lastState: { readonly lastState?: JsonObject } = {}
  for (let restarts = 0; ; restarts++) {
    const past: Past = { restarts, ...lastState }
    yield* Effect.sleep(options.startAfter ?? "400 millis")
    const resolved = resolve(pod, store.find, volumes)
    if ("missing" in resolved) {
      const message = `${resolved.missing} not found`
      yield* report(
        store,
        pod,
        alive(pod, "Pending", false, { waiting: { reason: "CreateContainerConfigError", message } }, past),
      )
    } else {
      const running = { ...alive(pod, "Running", true, { running: {} }, past), ...addressed }
      const startedAt = yield* now
      const own = node.begin(pod)
      const exit = yield* Effect.exit(
        Effect.scoped(
          Effect.gen(function* () {
            if (policy !== "Always") yield* report(store, pod, running)
            const message = yield* process(resolved.running, own)
            if (policy !== "Always") return message
            yield* report(store, pod, running)
            return yield* Effect.never
          }),
        ).pipe(Effect.result),
      )
      node.end(pod)
      // A process that dies of a bug is one that failed.
      const outcome = Exit.isSuccess(exit) ? exit.value : Result.fail({ reason: "Error", message: "the process died" })
      if (Result.isSuccess(outcome)) {
        const message = typeof outcome.success === "string" ? { message: outcome.success } : {}
        yield* report(store, pod, ended(pod, { exitCode: 0, reason: "Completed", ...message }, yield* now))
        return
      }
      const { reason, message } = outcome.failure
      own.log(message)
      if (policy === "Never") {
        yield* report(store, pod, ended(pod, { exitCode: 1, reason: "Error", message }, yield* now))
        return
      }
      const hasEnded = endings.has(reason)
      const terminated = { reason: hasEnded ? reason : "Error", exitCode: 1, startedAt, finishedAt: yield* now }
      lastState = { lastState: { terminated } }
      const waiting = { reason: hasEnded ? "CrashLoopBackOff" : reason, message }
      yield* report(store, pod, alive(pod, "Running", false, { waiting }, { restarts: restarts + 1, ...lastState }))
    }
    yield* Effect.sleep("2 seconds")
  }
})
