/** Exports in a folder of this machine: what is embedded keeps them in `BERTH_DIR`/exports. */
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import {
  type Exported,
  ExportMissing,
  ExportStore,
  ExportStoreUnavailable,
  mostParts,
  partOf,
  partsOf,
} from "../Exports.ts"

const unavailable = (operation: string) => (cause: unknown) => new ExportStoreUnavailable({ operation, cause })

const isAbsent = (error: PlatformError): boolean => error.reason._tag === "NotFound"

/** `folder` is made when the first export comes. */
export const layer = (folder: string): Layer.Layer<ExportStore, never, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    ExportStore,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const paths = yield* Path.Path
      const root = paths.resolve(folder)
      const place = (part: string) => paths.join(root, part)

      /** Bytes that stand there; `undefined` if a part is missing. */
      const standing = Effect.fnUntraced(
        function* ({ key, size }: Exported) {
          let sum = 0
          for (const part of partsOf(key, size)) {
            const found = yield* fs.stat(place(part)).pipe(
              Effect.map(({ size }) => Number(size)),
              Effect.catchIf(isAbsent, () => Effect.succeed(undefined)),
            )
            if (found === undefined) return undefined
            sum += found
          }
          return sum
        },
        Effect.mapError(unavailable("look")),
      )

      return ExportStore.of({
        destination: Effect.fn("ExportStore.destination")(function* (key) {
          const urls = Array.from({ length: mostParts }, (_, index) => pathToFileURL(place(partOf(key, index))).href)
          return Redacted.make({ parts: urls as [string, ...Array<string>] })
        }),
        holds: Effect.fn("ExportStore.holds")(function* (exported) {
          return (yield* standing(exported)) === exported.size
        }),
        read: (exported) =>
          Stream.unwrap(
            Effect.gen(function* () {
              if ((yield* standing(exported)) !== exported.size) return yield* new ExportMissing({ key: exported.key })
              return Stream.fromIterable(partsOf(exported.key, exported.size)).pipe(
                Stream.flatMap((part) => fs.stream(place(part))),
                Stream.mapError(unavailable("read")),
              )
            }),
          ),
        remove: Effect.fn("ExportStore.remove")(function* ({ key, size }) {
          yield* Effect.forEach(partsOf(key, size), (part) => fs.remove(place(part), { force: true }), {
            discard: true,
          }).pipe(Effect.mapError(unavailable("remove")))
          // Fails, and should, while another export of the customer is in it.
          yield* fs.remove(paths.dirname(place(key))).pipe(Effect.ignore)
        }),
      })
    }),
  )
