/**
 * A KeyValueStore in a folder that survives a kill at any point: a value is written beside its place and renamed into it,
 * so a reader finds the old value or the new one, never half of one. (Effect's own file store writes in place.)
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import { KeyValueStore, KeyValueStoreError, layerFileSystem, make } from "effect/persistence/KeyValueStore"
import type { PlatformError } from "effect/PlatformError"

export const layer = (folder: string): Layer.Layer<KeyValueStore, PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    KeyValueStore,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const inPlace = yield* KeyValueStore
      const drafts = `${folder}.drafts`
      yield* fs.makeDirectory(drafts, { recursive: true })
      let next = 0
      const set = (key: string, value: string | Uint8Array) =>
        Effect.suspend(() => {
          const draft = path.join(drafts, `${process.pid}-${next++}`)
          const write = typeof value === "string" ? fs.writeFileString(draft, value) : fs.writeFile(draft, value)
          return Effect.andThen(write, fs.rename(draft, path.join(folder, encodeURIComponent(key))))
        }).pipe(
          Effect.mapError(
            (cause) => new KeyValueStoreError({ method: "set", key, message: `Unable to set ${key}`, cause }),
          ),
        )
      const { get, getUint8Array, remove, clear, size, keys } = inPlace
      return make({ get, getUint8Array, set, remove, clear, size, keys })
    }),
  ).pipe(Layer.provide(layerFileSystem(folder)))
