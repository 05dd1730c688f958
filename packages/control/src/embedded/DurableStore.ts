/**
 * A KeyValueStore in a folder that survives a kill at any point: a value is written beside its place and renamed into it,
 * so a reader finds the old value or the new one, never half of one. (Effect's own file store writes in place.)
 * Processes may share a folder: who reads, decides and writes does it in its `Turn`.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { KeyValueStore, KeyValueStoreError, layerFileSystem, make } from "effect/persistence/KeyValueStore"
import type { PlatformError } from "effect/PlatformError"

/** Runs an effect while no other process that shares the store runs one. In memory there is none. */
export const Turn = Context.Reference<<A, E, R>(run: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>>(
  "@berth/control/DurableStore/Turn",
  { defaultValue: () => (run) => run },
)

/** A turn takes milliseconds: a lock that is older was left behind by a kill. */
const staleMillis = 5_000

const turns = (folder: string) =>
  Layer.effect(
    Turn,
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const lock = `${folder}.lock`
      const clear = Effect.gen(function* () {
        const made = (yield* fs.stat(lock)).mtime
        const now = yield* Clock.currentTimeMillis
        if (Option.isSome(made) && now - made.value.getTime() > staleMillis) yield* fs.remove(lock, { recursive: true })
      }).pipe(Effect.ignore)
      // Making a folder is the one thing that the file system does for one of two alone.
      const take = fs.makeDirectory(lock).pipe(
        Effect.tapError(() => Effect.andThen(clear, Effect.sleep(5))),
        Effect.eventually,
        Effect.timeout("20 seconds"),
        Effect.orDie,
      )
      const give = Effect.ignore(fs.remove(lock, { recursive: true }))
      return (run) =>
        Effect.acquireUseRelease(
          take,
          () => run,
          () => give,
        )
    }),
  )

const store = (folder: string) =>
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

export const layer = (folder: string): Layer.Layer<KeyValueStore, PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.provideMerge(turns(folder), store(folder))
