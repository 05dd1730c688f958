/**
 * Exports: an agent's data as it was when the agent was deleted, encrypted (age) to a key that only api can open, kept for
 * 30 days. Invariant: whoever puts one can write its objects and nothing else. Up to `partBytes` it is one object, beyond
 * that as many as it takes, because a single upload to object storage ends at 5 GiB.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type { CustomerId } from "./Ids.ts"

/** Names an export: `<customer>/<generation>.tar.gz.age`. The same on every try, so that a repeat replaces what came before. */
export const ExportKey = Schema.String.check(
  Schema.isPattern(/^[a-z0-9][a-z0-9-]{0,39}\/[1-9][0-9]{0,15}\.tar\.gz\.age$/, {
    description: "an export's key, <customer>/<generation>.tar.gz.age",
  }),
).pipe(Schema.brand("ExportKey"))
export type ExportKey = typeof ExportKey.Type

/** `generation` is that of the job that confirmed the deletion. */
export const keyOf = (customerId: CustomerId, generation: number): ExportKey =>
  ExportKey.make(`${customerId}/${generation}.tar.gz.age`)

/** What the exporter says of the bytes that it put. */
export const Written = Schema.Struct({
  /** Bytes as stored, encrypted. */
  size: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  /** Of these bytes, in hex. */
  sha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/)),
})
export type Written = typeof Written.Type

/** An export that stands in the store. */
export const Exported = Schema.Struct({ key: ExportKey, ...Written.fields })
export type Exported = typeof Exported.Type

/** Bytes of each part but the last. */
export const partBytes = 4 * 2 ** 30
/** More than the largest volume that is sold, and as much again. */
export const mostParts = 16

/** The objects of an export of this size, in order. */
export const partsOf = (key: ExportKey, size: number): ReadonlyArray<string> =>
  Array.from({ length: Math.max(1, Math.ceil(size / partBytes)) }, (_, index) => partOf(key, index))

export const partOf = (key: ExportKey, index: number): string => (index === 0 ? key : `${key}.${index + 1}`)

/**
 * Where the exporter puts the parts, in order: `https:` takes a PUT of up to `partBytes`, `file:` is a place on its own
 * disk. To be kept secret: whoever knows it may write there while it lasts.
 */
export const Destination = Schema.Struct({ parts: Schema.NonEmptyArray(Schema.String) })
export type Destination = typeof Destination.Type

/** How long customers can fetch an export (ms). */
export const keptMillis = 30 * 86_400_000

/** The store did not answer, or refused; the same may be tried again. */
export class ExportStoreUnavailable extends Schema.TaggedError<ExportStoreUnavailable>()(
  "ExportStoreUnavailable",
  { operation: Schema.String, cause: Schema.Defect() },
  { httpApiStatus: 503 },
) {}

/** There is no such export, or less of it than there was. */
export class ExportMissing extends Schema.TaggedError<ExportMissing>()(
  "ExportMissing",
  { key: Schema.String },
  { httpApiStatus: 404 },
) {}

export class ExportStore extends Context.Service<
  ExportStore,
  {
    /** Good for a day. */
    destination(key: ExportKey): Effect.Effect<Redacted.Redacted<Destination>, ExportStoreUnavailable>
    /** Whether all of it stands there, byte for byte as many as were written. */
    holds(exported: Exported): Effect.Effect<boolean, ExportStoreUnavailable>
    /** The bytes as stored; they end with a failure where some are missing. */
    read(exported: Exported): Stream.Stream<Uint8Array, ExportMissing | ExportStoreUnavailable>
    /** What is gone already stays gone. */
    remove(exported: Exported): Effect.Effect<void, ExportStoreUnavailable>
  }
>()("@berth/domain/ExportStore") {}
