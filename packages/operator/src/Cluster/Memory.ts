/**
 * A cluster in this process: an API server's rules, tiny controllers and a kubelet whose containers are effects.
 * It keeps nothing over a restart: the operator fills it again from jobs. Where it differs from Kubernetes, it is wrong;
 * `testing/ClusterContract.ts` holds both to the same.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { agentCrd } from "../Agent/Crd.ts"
import {
  Cluster,
  ClusterUnavailable,
  Expired,
  fieldManager,
  type LogOptions,
  NotFound,
  Refused,
  type WatchEvent,
  whole,
} from "../Cluster.ts"
import { type KindName, kinds } from "../Kinds.ts"
import { at, type Manifest } from "../Manifest.ts"
import { PodHttp, PodUnanswered } from "../PodHttp.ts"
import { pass } from "./Controllers.ts"
import { type KubeletOptions, make as makeKubelet } from "./Kubelet.ts"
import { type Change, make, type MemoryStore, tellOf } from "./MemoryStore.ts"
import { make as makeNode, type Node, nodeIp } from "./Node.ts"
import { controllerManager } from "./Owned.ts"

export interface MemoryOptions extends KubeletOptions {
  /** Namespaces that stand from the beginning. */
  readonly namespaces?: ReadonlyArray<string>
}

export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<Cluster | PodHttp> =>
  Layer.effectContext(
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      // The API server's times are whole seconds.
      const store = make(() =>
        DateTime.formatIso(DateTime.makeUnsafe(clock.currentTimeMillisUnsafe())).replace(/\.\d+Z$/, "Z"),
      )
      const node = makeNode(() => clock.currentTimeMillisUnsafe())
      yield* runControllers(store, node, options)
      const standing: ReadonlyArray<Manifest> = [
        agentCrd,
        ...(options.namespaces ?? ["default", "platform", "berth-agents"]).map((name) => ({
          apiVersion: "v1",
          kind: "Namespace",
          metadata: { name },
        })),
      ]
      for (const object of standing) store.apply(object, { manager: controllerManager, force: true })
      /** A list or watch of a kind that the server doesn't have. */
      const unserved = (kind: KindName) =>
        store.serves(kind)
          ? undefined
          : new ClusterUnavailable({ operation: `list ${kind}`, message: "the server has no such kind" })

      const cluster = Cluster.of({
        apply: (manifest, apply) =>
          Effect.suspend(() =>
            Effect.fromResult(
              store.apply(manifest, { manager: apply?.manager ?? fieldManager, force: apply?.force ?? true }),
            ),
          ).pipe(Effect.flatMap((stored) => whole(manifest, apply, stored))),
        get: (ref) => Effect.sync(() => store.get(ref)),
        list: (kind, selector = {}) =>
          Effect.suspend(() => {
            const error = unserved(kind)
            return error === undefined ? Effect.succeed(store.list(kind, selector)) : Effect.fail(error)
          }),
        remove: (ref, remove) => Effect.suspend(() => Effect.fromResult(store.remove(ref, remove?.uid))),
        merge: (ref, patch) =>
          Effect.suspend(() =>
            Effect.fromResult(
              store.update(ref, fieldManager, (object) => mergePatch(object, patch) as Record<string, unknown>),
            ),
          ),
        patchStatus: (name, status, place) =>
          Effect.suspend(() =>
            Effect.fromResult(
              store.apply(
                { apiVersion: kinds.Agent.apiVersion, kind: "Agent", metadata: named(name, place), status },
                { manager: fieldManager, force: true, status: true },
              ),
            ),
          ),
        watch: (kind, selector, since, sign) =>
          Stream.callback<WatchEvent, Expired | ClusterUnavailable>(
            (queue) =>
              Effect.acquireRelease(
                Effect.suspend(() => {
                  const past = store.since(Number(since))
                  const error = unserved(kind) ?? (past === undefined ? new Expired({ kind }) : undefined)
                  if (error !== undefined || past === undefined) {
                    Queue.failCauseUnsafe(queue, Cause.fail(error ?? new Expired({ kind })))
                    return Effect.succeed(() => {})
                  }
                  const tell = (change: Change) => {
                    const event = change.event.object.kind === kind ? tellOf(selector, change) : undefined
                    if (event !== undefined && !Queue.offerUnsafe(queue, event))
                      Queue.failCauseUnsafe(queue, Cause.fail(new Expired({ kind })))
                  }
                  past.forEach(tell)
                  return Effect.succeed(store.listen(tell))
                }),
                (stop) => Effect.sync(stop),
              ).pipe(
                Effect.andThen(
                  Effect.sync(() => sign?.()).pipe(Effect.repeat(Schedule.spaced("60 seconds")), Effect.forkScoped),
                ),
              ),
            { bufferSize: 10_000 },
          ),
        logs: (pod, options) => Effect.suspend(() => Effect.fromResult(logOf(store, node, pod, options))),
        volumes: (hostIp) =>
          Effect.suspend(() =>
            hostIp === nodeIp
              ? Effect.succeed(
                  node.volumes(({ metadata }, name) =>
                    store.find({ kind: "PersistentVolumeClaim", namespace: metadata.namespace ?? "", name }),
                  ),
                )
              : Effect.fail(
                  new ClusterUnavailable({ operation: `volumes of node ${hostIp}`, message: "no such node" }),
                ),
          ),
      })
      const http = PodHttp.of({
        get: ({ ip, path, bearer }) =>
          Effect.suspend(() => {
            const answer = node.ask(ip, { path, bearer: bearer === undefined ? undefined : Redacted.value(bearer) })
            return answer === undefined ? Effect.fail(new PodUnanswered({ path })) : Effect.succeed(answer)
          }),
      })
      return Context.make(Cluster, cluster).pipe(Context.add(PodHttp, http))
    }),
  )

const logOf = (
  store: MemoryStore,
  node: Node,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { container, lines, previous }: LogOptions,
): Result.Result<string, NotFound | Refused> => {
  const object = `Pod ${namespace}/${name}`
  const pod = store.find({ kind: "Pod", namespace, name })
  if (pod === undefined) return Result.fail(new NotFound({ object }))
  const refused = (message: string) => Result.fail(new Refused({ object, reason: "Invalid", message }))
  if (at(pod, "spec", "containers", 0, "name") !== container)
    return refused(`container ${container} is not valid for pod ${name}`)
  const log = node.log(pod.metadata.uid, previous)
  if (log !== undefined)
    return Result.succeed(
      log
        .slice(-lines)
        .map((line) => `${line}\n`)
        .join(""),
    )
  return refused(
    previous
      ? `previous terminated container "${container}" in pod "${name}" not found`
      : `container "${container}" in pod "${name}" is waiting to start: ContainerCreating`,
  )
}

/** Runs controllers and kubelet after every change, and when one of them waits for the time. */
const runControllers = Effect.fnUntraced(function* (store: MemoryStore, node: Node, options: MemoryOptions) {
  const wake = yield* Queue.sliding<void>(1)
  const kubelet = yield* makeKubelet(store, node, options)
  let serial = 0
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      store.listen(({ event: { type, object } }) => {
        if (type === "DELETED" && object.kind === "Pod") node.leave(object)
        Queue.offerUnsafe(wake, undefined)
      }),
    ),
    (stop) => Effect.sync(stop),
  )
  const look = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const next = pass(store, () => ++serial, now)
    yield* kubelet
    const changed = Queue.take(wake)
    yield* next === undefined ? changed : Effect.raceFirst(changed, Effect.sleep(Math.max(0, next - now)))
  })
  yield* Queue.take(wake).pipe(Effect.andThen(Effect.forever(look)), Effect.forkScoped)
})

const named = (name: string, place: string | undefined) =>
  place === undefined ? { name } : { name, resourceVersion: place }

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
