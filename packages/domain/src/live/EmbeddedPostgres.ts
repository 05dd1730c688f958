/**
 * A real Postgres for whoever has none: the binaries come from npm, the data stays under one folder.
 * Invariant: however many processes open a folder, one server runs in it; it is stopped by the last one that leaves, and
 * one left behind by a kill -9 is found and used again. On failure: one typed error, with one line that says what to do.
 */
import { resolve } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { attempt, type EmbeddedPostgresError } from "./EmbeddedPostgres/Failure.ts"
import { erasePlace, existingHome, openPlace, rememberPort } from "./EmbeddedPostgres/Place.ts"
import { database, findPostmaster, startPostmaster, stopPostmaster, user } from "./EmbeddedPostgres/Postmaster.ts"
import { pause } from "./EmbeddedPostgres/Processes.ts"
import { tenants } from "./EmbeddedPostgres/Tenants.ts"

export { EmbeddedPostgresError } from "./EmbeddedPostgres/Failure.ts"

export interface Options {
  /** Holds the data. Password, port and a home elsewhere (root in a closed folder) are kept in `<folder>.json`. */
  readonly folder?: string
  /** False: fast and not durable, for tests. Counts only for the process that starts the server. */
  readonly fsync?: boolean
}

export const defaultFolder = ".berth/postgres"

export class EmbeddedPostgres extends Context.Service<
  EmbeddedPostgres,
  {
    /** Connects as the owner of the database `berth`, over 127.0.0.1. */
    readonly url: Redacted.Redacted<string>
    readonly port: number
    /** Where data and log really are. */
    readonly home: string
  }
>()("@berth/domain/live/EmbeddedPostgres") {
  static readonly layer = (options?: Options) => Layer.effect(EmbeddedPostgres, make(options))
}

const folderOf = (options: Options | undefined) => resolve(options?.folder ?? defaultFolder)

/** Opens the folder's server for as long as the scope lasts. */
export const make = Effect.fn("EmbeddedPostgres.make")(function* (options?: Options) {
  const folder = folderOf(options)
  const place = yield* attempt(folder, () => openPlace(folder))
  const guests = tenants(place.home)

  yield* Effect.acquireRelease(
    attempt(folder, () => guests.signIn()),
    (name) => leave(place.home, name),
  )
  while (guests.someoneLeaves()) yield* pause(20)

  const { port } = yield* startPostmaster(place, { fsync: options?.fsync ?? true })
  yield* attempt(folder, () => rememberPort(folder, port))
  const url = `postgres://${user}:${encodeURIComponent(place.password)}@127.0.0.1:${port}/${database}`
  return EmbeddedPostgres.of({ url: Redacted.make(url, { label: "postgres" }), port, home: place.home })
})

/** Stops the server unless somebody else uses it. A server that will not stop is reported, not thrown: we are leaving. */
const leave = (home: string, name: string): Effect.Effect<void> => {
  const guests = tenants(home)
  return attempt(home, () => guests.beginLeaving(name)).pipe(
    Effect.andThen(Effect.suspend(() => (guests.present().length > 0 ? Effect.succeed(false) : stopPostmaster(home)))),
    Effect.ensuring(Effect.ignore(attempt(home, () => guests.endLeaving(name)))),
    Effect.catch((error) => Effect.logWarning(error.message)),
    Effect.asVoid,
  )
}

/** What stands in a folder, without starting anything. */
export const inspect = Effect.fn("EmbeddedPostgres.inspect")(function* (options?: Options) {
  const folder = folderOf(options)
  return yield* attempt(folder, () => {
    const home = existingHome(folder)
    return {
      home,
      /** Pids of processes that use the server now. */
      users: home === undefined ? [] : tenants(home).present(),
      server: home === undefined ? undefined : findPostmaster(`${home}/data`)?.pid,
    }
  })
})

/** Stops a server that nobody uses any more (left behind by a kill -9) and deletes all its data. */
export const erase: (options?: Options) => Effect.Effect<void, EmbeddedPostgresError> = Effect.fn(
  "EmbeddedPostgres.erase",
)(function* (options?: Options) {
  const folder = folderOf(options)
  const { home } = yield* inspect(options)
  if (home !== undefined) yield* stopPostmaster(home)
  yield* attempt(folder, () => erasePlace(folder))
})
