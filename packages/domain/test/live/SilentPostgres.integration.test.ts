/** How long a request may wait for a Postgres that takes its question and does not answer. */
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { AllowanceSource } from "../../src/AllowanceSource.ts"
import type { StoreUnavailable } from "../../src/Errors.ts"
import { CustomerId } from "../../src/Ids.ts"
import * as AllowanceSourcePostgres from "../../src/live/AllowanceSourcePostgres.ts"
import * as Postgres from "../../src/live/Postgres.ts"
import { freshDatabase } from "../../src/testing/FreshDatabase.ts"

const layer = AllowanceSourcePostgres.layer.pipe(
  Layer.provideMerge(Layer.unwrap(Effect.map(freshDatabase, (url) => Postgres.layer(url)))),
)

/** Keeps everybody else from reading what is asked for here, until the test is over. */
const fallSilent = Effect.gen(function* () {
  const sql = yield* SqlClient
  const silent = yield* Deferred.make<void>()
  const lock = sql`LOCK TABLE proxy_tokens, allowances, usage_days IN ACCESS EXCLUSIVE MODE`
  const hold = Effect.andThen(Effect.andThen(lock, Deferred.succeed(silent, undefined)), Effect.never)
  yield* Effect.forkScoped(sql.withTransaction(hold))
  yield* Deferred.await(silent)
})

describe("a Postgres that falls silent", () => {
  it.live(
    "is unavailable after a few seconds, whatever it was asked",
    () =>
      Effect.gen(function* () {
        const source = yield* AllowanceSource
        const ann = CustomerId.make("ann")
        yield* fallSilent
        const asked: ReadonlyArray<Effect.Effect<unknown, StoreUnavailable>> = [
          source.customerOf("live"),
          source.snapshot(ann),
          source.customers,
          source.usage(ann, 0),
        ]
        const told = yield* Effect.forEach(
          asked,
          (one) =>
            Effect.flip(one).pipe(
              Effect.timeoutOrElse({ duration: "12 seconds", orElse: () => Effect.succeed(undefined) }),
            ),
          { concurrency: "unbounded" },
        )
        assert.deepStrictEqual(
          told.map((error) => error?.store),
          asked.map(() => "postgres" as const),
        )
      }).pipe(Effect.scoped, Effect.provide(layer)),
    30_000,
  )
})
