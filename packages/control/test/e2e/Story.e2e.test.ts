/** The story of a sold agent on a real Postgres and a real Redis, and what stands in them afterwards. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import * as Postgres from "@berth/domain/live/Postgres"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { SqlClient } from "effect/sql/SqlClient"
import { Redis } from "ioredis"
import { tellStory } from "../../src/demo/Story.ts"
import * as BerthProcess from "./BerthProcess.ts"

const client = Layer.mergeAll(FetchHttpClient.layer, NodeSocket.layerWebSocketConstructor)

describe("the story on real Postgres and Redis", () => {
  it.live(
    "ends with an agent that answers, is billed exactly, and is refused when the month is used up",
    () =>
      Effect.gen(function* () {
        const database = yield* freshDatabase
        const redisUrl = yield* freshRedis
        const berth = yield* BerthProcess.make({ DATABASE_URL: Redacted.value(database), REDIS_URL: redisUrl })
        const { origin, proxyOrigin } = berth
        const told = yield* Effect.scoped(tellStory({ origin, proxyOrigin, botUsername: "story_bot", toTheEnd: true }))

        const sql = yield* Layer.build(Postgres.layer(database, 2)).pipe(
          Effect.flatMap((built) => Effect.provideContext(SqlClient, built)),
        )
        const redis = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(redisUrl)),
          (one) => Effect.sync(() => one.disconnect()),
        )
        const id = told.accountId
        // The last calls may still be on their way to the ledger.
        const { limit, ledger } = yield* Effect.gen(function* () {
          const limit = yield* Effect.promise(() => redis.hgetall(`limit:{${id}}`))
          const [ledger] = yield* sql<{ grants: number; used: number }>`
          SELECT coalesce(sum(tokens) FILTER (WHERE kind = 'grant'), 0)::bigint AS grants,
            coalesce(sum(tokens) FILTER (WHERE kind IN ('usage', 'correction')), 0)::bigint AS used
          FROM ledger_entries WHERE customer_id = ${id}`
          return { limit, ledger }
        }).pipe(
          Effect.repeat({
            schedule: Schedule.spaced("100 millis"),
            times: 50,
            until: ({ limit, ledger }) => ledger?.used === Number(limit["used"]),
          }),
        )
        assert.strictEqual(ledger?.grants, 5_000_000)
        assert.strictEqual(ledger?.used, Number(limit["used"]), "ledger and Redis agree on what was used")
        assert.isAtMost(Number(limit["used"]), 5_000_000)
        assert.strictEqual(Number(limit["held"]), 0, "no hold is left")
        assert.strictEqual(yield* Effect.promise(() => redis.zcard("holds")), 0)

        const [order] = yield* sql<{ id: string; jobId: string }>`
        SELECT id, job_id AS "jobId" FROM orders WHERE account_id = ${id} AND status = 'paid'`
        const again = yield* HttpClient.execute(
          HttpClientRequest.post(`${berth.internalOrigin}/provision`).pipe(
            HttpClientRequest.bearerToken(berth.serviceToken),
            HttpClientRequest.bodyJsonUnsafe({ orderId: order?.id }),
          ),
        )
        assert.strictEqual(again.status, 202)
        assert.deepStrictEqual(yield* again.json, { jobId: order?.jobId ?? "" }, "POST /provision repeats the same job")

        const tokens = yield* sql<{
          text: string
        }>`SELECT envelope AS text FROM agent_secrets WHERE customer_id = ${id}`
        assert.isNotEmpty(tokens)
        assert.notMatch(berth.output(), /bth_[0-9A-Za-z]{40}|\d{6,12}:AA[\w-]{30}/, "no secret in the log")
        assert.strictEqual(yield* berth.stop, 0, "SIGTERM drains and ends it")
      }).pipe(Effect.scoped, Effect.provide(client)),
    120_000,
  )
})
