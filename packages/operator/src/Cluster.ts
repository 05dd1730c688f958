/**
 * The Kubernetes API as the operator uses it: server-side apply of raw JSON, and little else. Invariant: what `apply`
 * returns holds everything that was meant, or it fails. An unreachable server decides nothing: the caller tries again.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { KindName } from "./Kinds.ts"
import { type JsonObject, differenceFrom, type Manifest, nameOf, type Ref, refOf, type Stored } from "./Manifest.ts"

/** 409: another field manager owns what was meant, or the object is not at the resourceVersion that was named. */
export class Conflict extends Schema.TaggedError<Conflict>()(
  "Conflict",
  { object: Schema.String, message: Schema.String },
  { httpApiStatus: 409 },
) {}

/** The server understood and said no. `message` is the server's and may be shown to ops, not to customers. */
export class Refused extends Schema.TaggedError<Refused>()(
  "Refused",
  {
    object: Schema.String,
    /** `FieldLost`: the server stored less than was meant. */
    reason: Schema.Literals(["Quota", "PodSecurity", "Invalid", "Forbidden", "Terminating", "FieldLost"]),
    message: Schema.String,
  },
  { httpApiStatus: 422 },
) {}

/** 404: the object, or the namespace or kind that would hold it. */
export class NotFound extends Schema.TaggedError<NotFound>()(
  "NotFound",
  { object: Schema.String },
  { httpApiStatus: 404 },
) {}

/** 410: the watch's place is older than what the server remembers. List again. */
export class Expired extends Schema.TaggedError<Expired>()(
  "Expired",
  { kind: Schema.String },
  { httpApiStatus: 410 },
) {}

/** No answer, or 429 or 5xx. Whether a change happened is unknown; applying again is safe. */
export class ClusterUnavailable extends Schema.TaggedError<ClusterUnavailable>()(
  "ClusterUnavailable",
  { operation: Schema.String, message: Schema.String },
  { httpApiStatus: 503 },
) {}

export type ApplyError = Conflict | Refused | NotFound | ClusterUnavailable
export type ReadError = Refused | ClusterUnavailable
export type LogError = ReadError | NotFound

export const fieldManager = "berth-operator"

export interface ApplyOptions {
  /** `berth-operator` unless told. */
  readonly manager?: string
  /** Take over fields that others own; on unless told. */
  readonly force?: boolean
}

export interface Listed {
  readonly items: ReadonlyArray<Stored>
  /** Where a watch goes on from this list. */
  readonly resourceVersion: string
}

export interface Selector {
  readonly namespace?: string
  /** Every label must be equal; an empty text asks only that the label exists. */
  readonly labels?: Readonly<Record<string, string>>
}

export interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED"
  readonly object: Stored
}

/** Fails when the server stored less than the operator meant. A part-time manager's apply means only some items of a list. */
export const whole = (
  meant: Manifest,
  options: ApplyOptions | undefined,
  stored: Stored,
): Effect.Effect<Stored, Refused> => {
  const lost = options?.manager === undefined ? differenceFrom(meant, stored) : undefined
  return lost === undefined
    ? Effect.succeed(stored)
    : Effect.fail(
        new Refused({
          object: nameOf(refOf(meant)),
          reason: "FieldLost",
          message: `the server did not keep ${lost}`,
        }),
      )
}

export interface LogOptions {
  readonly container: string
  /** How many of the newest lines. */
  readonly lines: number
  /** Of the run before the last restart. */
  readonly previous: boolean
}

/** What a node measured of one claim's volume, in bytes. */
export interface VolumeUsage {
  readonly namespace: string
  readonly claim: string
  readonly used: number
  readonly capacity: number
}

export class Cluster extends Context.Service<
  Cluster,
  {
    /**
     * Creates or changes by server-side apply. With `metadata.resourceVersion`, an object that stands is changed only if it
     * stands exactly there; with `metadata.uid`, nothing is made where that very object does not stand.
     */
    apply(manifest: Manifest, options?: ApplyOptions): Effect.Effect<Stored, ApplyError>
    get(ref: Ref): Effect.Effect<Option.Option<Stored>, ReadError>
    list(kind: KindName, selector?: Selector): Effect.Effect<Listed, ReadError>
    /** Starts deletion; the object is gone when its finalizers are. With `uid`, only that very object. */
    remove(ref: Ref, options?: { readonly uid?: string }): Effect.Effect<void, ApplyError>
    /** RFC 7386 merge patch, for the few fields that another controller owns. Honours `metadata.resourceVersion`. */
    merge(ref: Ref, patch: JsonObject): Effect.Effect<Stored, ApplyError>
    /** Replaces the whole status of an Agent; with `at`, only if the Agent stands exactly there. */
    patchStatus(name: string, status: JsonObject, at?: string): Effect.Effect<Stored, ApplyError>
    /**
     * Everything after `since` (a list's or an object's resourceVersion), in order, over the server's closings. `sign` is
     * called whenever the server is heard of, about once a minute though nothing happens.
     */
    watch(
      kind: KindName,
      selector: Selector,
      since: string,
      sign?: () => void,
    ): Stream.Stream<WatchEvent, Expired | ReadError>
    /**
     * The end of a container's log as its node keeps it: lines, each after its time (RFC 3339) and a space. `Refused` while
     * there is none: the container has not started, or had no run before.
     */
    logs(
      pod: { readonly namespace: string; readonly name: string },
      options: LogOptions,
    ): Effect.Effect<string, LogError>
    /** What the node at this address measures of its volumes; those of a type that can't be measured are absent. */
    volumes(hostIp: string): Effect.Effect<ReadonlyArray<VolumeUsage>, ReadError>
  }
>()("@berth/operator/Cluster") {}
