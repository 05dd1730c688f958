/**
 * A customer's token is rotated: both work for a while, then the old one is refused everywhere from the very next request
 * on. Nothing is told to the proxies: no message can reach them here, and both have the old token in memory.
 */
import * as Postgres from "@berth/domain/live/Postgres"
import { hashOf, mint } from "@berth/domain/ProxyToken"
import { startRedis } from "@berth/domain/testing/RedisServer"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { Redis } from "ioredis"
import * as World from "../World.ts"
import * as Fleet from "./Fleet.ts"
import { Gate, modest } from "./Gate.ts"
import { answersOf, body, many, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"

/** A Redis over which nobody can tell anybody anything. */
const muteRedis = Effect.gen(function* () {
  const server = yield* startRedis()
  const admin = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(server.url)),
    (client) => Effect.sync(() => client.disconnect()),
  )
  yield* Effect.promise(() => admin.call("ACL", "SETUSER", "default", "-@pubsub"))
  const told = yield* Effect.promise(() => admin.publish("any", "word").catch((error: Error) => error.message))
  assert.include(String(told), "NOPERM")
  return server.url
})

describe("a token that is rotated", () => {
  it.live(
    "works beside the new one, then is refused on every proxy from the next request on, also after a restart or a loss of Redis",
    () =>
      Effect.gen(function* () {
        const gate = new Gate({ prompt: 20, completion: modest, limit: Number.POSITIVE_INFINITY })
        const alice = World.customer("tokens-alice")
        const fleet = yield* Fleet.make({
          customers: [alice],
          behaviour: gate.behaviour,
          redisUrl: yield* muteRedis,
        })
        const urls = fleet.proxies.map((one) => one.url)
        const oldToken = alice.token
        const newToken = Redacted.value(mint(new Uint8Array(32).fill(7)))
        const { terms, period } = alice.snapshot
        const apply = (rev: number, tokens: ReadonlyArray<string>) =>
          Effect.map(
            fleet.allowance.apply({
              customerId: alice.customerId,
              rev,
              period,
              packsDelta: 0,
              terms: { ...terms, tokens: tokens.map(hashOf) },
            }),
            (result) => assert.strictEqual(result, "applied"),
          )
        const send = (token: string, count = 1) =>
          urls.flatMap((url) => Array.from({ length: count }, () => LightClient.send(url, token, body(many))))
        const statuses = (sent: ReadonlyArray<LightClient.Sent>) =>
          Effect.map(answersOf(sent), (answers) => [...new Set(answers.map(({ status }) => status))])
        const assertRevoked = Effect.fnUntraced(function* (sent: ReadonlyArray<LightClient.Sent>) {
          const called = fleet.stub.received.length
          for (const { status, code } of yield* answersOf(sent))
            assert.deepStrictEqual([status, code], [401, "invalid_api_key"])
          assert.strictEqual(fleet.stub.received.length, called)
        })

        const open = send(oldToken, 2)
        yield* until("streams are open", 20, () => gate.open === 4)
        yield* apply(2, [oldToken, newToken])
        open.push(...send(oldToken), ...send(newToken))
        yield* until("more are open", 20, () => gate.open === 8)

        yield* apply(3, [newToken])
        yield* assertRevoked(send(oldToken, 20))
        for (const url of urls) {
          for (const path of ["/v1/usage", "/v1/models"]) {
            const headers = { authorization: `Bearer ${oldToken}` }
            const response = yield* Effect.promise(() => fetch(`${url}${path}`, { headers }))
            assert.strictEqual(response.status, 401)
          }
        }
        // Streams that were admitted before go on, and the new token works everywhere.
        gate.release()
        for (const { status, whole } of yield* answersOf(open)) assert.deepStrictEqual([status, whole], [200, true])
        assert.deepStrictEqual(yield* statuses(send(newToken, 5)), [200])

        // A process that has never seen it, and a Redis that has forgotten all: Postgres knows as much.
        // Settled first: what a killed process had not told would be held for another 90 s.
        yield* fleet.settled(alice)
        yield* fleet.proxies[0]?.kill ?? Effect.void
        yield* fleet.proxies[0]?.start ?? Effect.void
        yield* assertRevoked(send(oldToken))
        yield* Effect.gen(function* () {
          const sql = yield* SqlClient
          yield* sql`UPDATE proxy_tokens SET state = 'revoked' WHERE hash = ${hashOf(oldToken)}`
          yield* sql`
            INSERT INTO proxy_tokens (hash, customer_id, state, created_at)
            VALUES (${hashOf(newToken)}, ${alice.customerId}, 'live', 0)`
        }).pipe(Effect.provide(Postgres.layer(Redacted.make(fleet.databaseUrl), 1)))
        yield* fleet.settled(alice)
        yield* Effect.promise(() => fleet.redis.flushall())
        yield* assertRevoked(send(oldToken))
        assert.deepStrictEqual(yield* statuses(send(newToken)), [200])
        yield* assertRevoked(send(oldToken))
        yield* fleet.settled(alice)
      }),
    180_000,
  )

  it.live(
    "is refused to every request that is sent after the change stands, however many are under way",
    () =>
      Effect.gen(function* () {
        const gate = new Gate({ prompt: 20, completion: modest, limit: Number.POSITIVE_INFINITY })
        const alice = World.customer("tokens-hammer")
        const fleet = yield* Fleet.make({ customers: [alice], behaviour: gate.behaviour, redisUrl: yield* muteRedis })
        gate.release()
        const urls = fleet.proxies.map((one) => one.url)
        let revoked = false
        const late: Array<LightClient.Sent> = []
        const early: Array<LightClient.Sent> = []
        const hammer = Effect.gen(function* () {
          for (let round = 0; round < 60; round++) {
            const sent = urls.map((url) => LightClient.send(url, alice.token, body(many)))
            if (revoked) late.push(...sent)
            else early.push(...sent)
            yield* Effect.sleep(10)
          }
        })
        const revoke = Effect.gen(function* () {
          yield* Effect.sleep(300)
          const { terms, period } = alice.snapshot
          const change = {
            customerId: alice.customerId,
            rev: 2,
            period,
            packsDelta: 0,
            terms: { ...terms, tokens: [] },
          }
          assert.strictEqual(yield* fleet.allowance.apply(change), "applied")
          revoked = true
        })
        yield* Effect.all([hammer, revoke], { concurrency: 2, discard: true })
        const earlyStatuses = (yield* answersOf(early)).map(({ status }) => status)
        assert.includeMembers([200, 401], earlyStatuses)
        assert.include(earlyStatuses, 200)
        assert.isNotEmpty(late)
        for (const { status } of yield* answersOf(late)) assert.strictEqual(status, 401)
        const { used } = yield* fleet.settled(alice)
        assert.strictEqual(used, gate.used)
      }),
    180_000,
  )
})
