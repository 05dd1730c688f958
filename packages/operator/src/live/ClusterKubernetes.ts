/**
 * The Cluster port on a real kube-apiserver. Invariants: what is sent is the built object, byte for byte; what comes back
 * must hold all of it; a watch goes on from its last event or bookmark over the server's closings.
 */
import { KubeConfig } from "@kubernetes/client-node"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import {
  type ApplyError,
  Cluster,
  ClusterUnavailable,
  type Expired,
  fieldManager,
  type LogError,
  type ReadError,
  type Selector,
  type VolumeUsage,
  type WatchEvent,
  whole,
} from "../Cluster.ts"
import { collectionPath, type Kind, kinds, type KindName, objectPath } from "../Kinds.ts"
import { at, nameOf, refOf, type Ref, type Stored } from "../Manifest.ts"
import { type ApiError, type ApiRequest, type ApiTransport, errorOf, make as makeTransport } from "./ApiTransport.ts"

const pageSize = "500"

const labelSelector = (labels: Selector["labels"]): Record<string, string> =>
  labels === undefined
    ? {}
    : {
        labelSelector: Object.entries(labels)
          .map(([key, value]) => (value === "" ? key : `${key}=${value}`))
          .join(","),
      }

/** The kubelet's own port. The API server's way to it would take a right with which one can run programs in any pod. */
const kubeletPort = 10_250
/** Bytes of a log that are read at most. Nodes cut lines at 16 KiB, so that 60 of them fit. */
const mostLogBytes = 1_048_576

const Summary = Schema.Struct({
  pods: Schema.Array(
    Schema.Struct({
      volume: Schema.optionalKey(
        Schema.Array(
          Schema.Struct({
            pvcRef: Schema.optionalKey(Schema.Struct({ name: Schema.String, namespace: Schema.String })),
            usedBytes: Schema.optionalKey(Schema.Number),
            capacityBytes: Schema.optionalKey(Schema.Number),
          }),
        ),
      ),
    }),
  ),
})

const usages = ({ pods }: typeof Summary.Type): ReadonlyArray<VolumeUsage> =>
  pods.flatMap(({ volume = [] }) =>
    volume.flatMap(({ pvcRef, usedBytes, capacityBytes }) =>
      pvcRef === undefined || usedBytes === undefined || capacityBytes === undefined
        ? []
        : [{ namespace: pvcRef.namespace, claim: pvcRef.name, used: usedBytes, capacity: capacityBytes }],
    ),
  )

/** Items of a list come without their kind. */
const typed = (kind: KindName, item: unknown): Stored => {
  const { apiVersion }: Kind = kinds[kind]
  return { apiVersion, kind, ...(item as object) } as Stored
}

const unexpected = (operation: string) => (error: ApiError) =>
  error._tag === "Expired" || error._tag === "NotFound" || error._tag === "Conflict"
    ? Effect.fail<ReadError>(new ClusterUnavailable({ operation, message: error._tag }))
    : Effect.fail<ReadError>(error)

/** A place too old is no answer to a write. */
const written = (error: ApiError): Effect.Effect<never, ApplyError> =>
  error._tag === "Expired"
    ? Effect.fail(new ClusterUnavailable({ operation: "write", message: "410" }))
    : Effect.fail(error)

const Line = Schema.fromJsonString(
  Schema.Struct({
    type: Schema.Literals(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]),
    object: Schema.Unknown,
  }),
)

const makeCluster = (transport: ApiTransport): Cluster["Service"] => {
  const send = (request: ApiRequest) => transport.send(request)
  const patch = (ref: Ref, path: string, contentType: string, body: unknown, query: Record<string, string>) =>
    send({ method: "PATCH", path, contentType, body, query, object: nameOf(ref) }).pipe(
      Effect.map((object) => object as Stored),
      Effect.catch(written),
    )

  const connect = (kind: KindName, selector: Selector, since: { place: string }, sign: () => void) =>
    transport
      .lines({
        method: "GET",
        path: collectionPath(kind, selector.namespace),
        query: {
          watch: "true",
          allowWatchBookmarks: "true",
          timeoutSeconds: "290",
          resourceVersion: since.place,
          ...labelSelector(selector.labels),
        },
        object: kind,
      })
      .pipe(
        Stream.mapEffect((line) =>
          Schema.decodeUnknownEffect(Line)(line).pipe(
            Effect.mapError(() => new ClusterUnavailable({ operation: `watch ${kind}`, message: "unreadable line" })),
          ),
        ),
        Stream.mapEffect(({ type, object }) => {
          if (type === "ERROR")
            return Effect.fail(
              errorOf(Number(at(object, "code") ?? 500), JSON.stringify(object), kind, `watch ${kind}`),
            )
          sign()
          since.place = String(at(object, "metadata", "resourceVersion"))
          return Effect.succeed(type === "BOOKMARK" ? [] : [{ type, object: typed(kind, object) } satisfies WatchEvent])
        }),
        Stream.flattenIterable,
        Stream.catch((error) =>
          error._tag === "Expired"
            ? Stream.fail<Expired | ReadError>(error)
            : Stream.fromEffect(unexpected(`watch ${kind}`)(error)),
        ),
      )

  return Cluster.of({
    apply: Effect.fn("Cluster.apply")(function* (manifest, options) {
      const ref = refOf(manifest)
      const stored = yield* patch(ref, objectPath(ref), "application/apply-patch+yaml", manifest, {
        fieldManager: options?.manager ?? fieldManager,
        force: String(options?.force ?? true),
      })
      return yield* whole(manifest, options, stored)
    }),
    get: Effect.fn("Cluster.get")(function* (ref) {
      return yield* send({ method: "GET", path: objectPath(ref), object: nameOf(ref) }).pipe(
        Effect.map((object) => Option.some(object as Stored)),
        Effect.catchTag("NotFound", () => Effect.succeedNone),
        Effect.catch(unexpected(`get ${nameOf(ref)}`)),
      )
    }),
    list: Effect.fn("Cluster.list")(function* (kind, selector = {}) {
      const items: Array<Stored> = []
      let page: unknown
      do {
        const next = at(page, "metadata", "continue")
        page = yield* send({
          method: "GET",
          path: collectionPath(kind, selector.namespace),
          query: {
            limit: pageSize,
            ...labelSelector(selector.labels),
            ...(typeof next === "string" ? { continue: next } : {}),
          },
          object: kind,
        }).pipe(Effect.catch(unexpected(`list ${kind}`)))
        for (const item of (at(page, "items") as ReadonlyArray<unknown> | null | undefined) ?? [])
          items.push(typed(kind, item))
      } while (typeof at(page, "metadata", "continue") === "string" && at(page, "metadata", "continue") !== "")
      return { items, resourceVersion: String(at(page, "metadata", "resourceVersion")) }
    }),
    remove: Effect.fn("Cluster.remove")(function* (ref, options) {
      yield* send({
        method: "DELETE",
        path: objectPath(ref),
        contentType: "application/json",
        body: {
          apiVersion: "v1",
          kind: "DeleteOptions",
          propagationPolicy: "Background",
          ...(options?.uid === undefined ? {} : { preconditions: { uid: options.uid } }),
        },
        object: nameOf(ref),
      }).pipe(Effect.catch(written))
    }),
    merge: Effect.fn("Cluster.merge")(function* (ref, change) {
      return yield* patch(ref, objectPath(ref), "application/merge-patch+json", change, { fieldManager })
    }),
    patchStatus: Effect.fn("Cluster.patchStatus")(function* (name, status, place) {
      const ref = { kind: "Agent", name }
      const metadata = { name, ...(place === undefined ? {} : { resourceVersion: place }) }
      const body = { apiVersion: kinds.Agent.apiVersion, kind: "Agent", metadata, status }
      return yield* patch(ref, `${objectPath(ref)}/status`, "application/apply-patch+yaml", body, {
        fieldManager,
        force: "true",
      })
    }),
    logs: Effect.fn("Cluster.logs")(function* ({ namespace, name }, { container, lines, previous }) {
      // What is cut at the limit are the newest lines, so rather fewer lines are asked for.
      for (let tail = lines; ; tail = Math.ceil(tail / 4)) {
        const text: string = yield* transport
          .text({
            method: "GET",
            path: `${objectPath({ kind: "Pod", namespace, name })}/log`,
            query: {
              container,
              tailLines: String(tail),
              limitBytes: String(mostLogBytes),
              timestamps: "true",
              ...(previous ? { previous: "true" } : {}),
            },
            object: `Pod ${namespace}/${name}`,
          })
          .pipe(
            Effect.catch((error): Effect.Effect<never, LogError> =>
              error._tag === "NotFound" ? Effect.fail(error) : unexpected(`log of ${namespace}/${name}`)(error),
            ),
          )
        if (Buffer.byteLength(text) < mostLogBytes || tail === 1) return text
      }
    }),
    volumes: Effect.fn("Cluster.volumes")(function* (hostIp) {
      const operation = `volumes of node ${hostIp}`
      const host = hostIp.includes(":") ? `[${hostIp}]` : hostIp
      const answer = yield* send({
        method: "GET",
        origin: `https://${host}:${kubeletPort}`,
        path: "/stats/summary",
        object: "Node",
      }).pipe(Effect.catch(unexpected(operation)))
      return usages(
        yield* Schema.decodeUnknownEffect(Summary)(answer).pipe(
          Effect.mapError(() => new ClusterUnavailable({ operation, message: "an answer that can't be read" })),
        ),
      )
    }),
    watch: (kind, selector, since, sign = () => {}) =>
      Stream.suspend(() => {
        const progress = { place: since }
        // A server that closes at once is not asked again at once.
        const pause = Stream.fromEffectDrain(Effect.sleep("100 millis"))
        return Stream.suspend(() => connect(kind, selector, progress, sign)).pipe(Stream.concat(pause), Stream.forever)
      }),
  })
}

export const layerOf = (config: KubeConfig): Layer.Layer<Cluster> =>
  Layer.sync(Cluster)(() => makeCluster(makeTransport(config)))

/** KUBECONFIG: a file, or `in-cluster` for the pod's own service account. */
export const layer = Layer.unwrap(
  Effect.gen(function* () {
    const source = yield* Config.String("KUBECONFIG")
    const config = new KubeConfig()
    if (source === "in-cluster") config.loadFromCluster()
    else config.loadFromFile(source)
    return layerOf(config)
  }),
)
