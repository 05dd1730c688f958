/** An ask that lay in the network while its caller gave up and gave back: Redis gets it after the release that answered for it. */
import { connect, createServer, type Socket } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import { Allowance } from "../../src/Allowance.ts"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import { startRedis } from "../../src/testing/RedisServer.ts"
import { ask, customer, holdOf, settlement, snapshot, terms } from "../../src/testing/contracts/AllowanceFixtures.ts"

/** A way to Redis that can keep back what is sent, and deliver it later. Answers come through. */
const slowWay = (target: URL) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; keepBack: () => void; deliver: () => void; close: () => void }>(
      (resume) => {
        const pairs: Array<readonly [Socket, Socket]> = []
        const server = createServer((near) => {
          const far = connect(Number(target.port), target.hostname)
          pairs.push([near, far])
          near.pipe(far)
          far.pipe(near)
          for (const one of [near, far]) one.on("error", () => {}).on("close", () => far.end())
        })
        const each = (run: (near: Socket, far: Socket) => void) => () => {
          for (const [near, far] of pairs) run(near, far)
        }
        server.listen(0, "127.0.0.1", () => {
          const { port } = server.address() as { port: number }
          resume(
            Effect.succeed({
              url: `redis://127.0.0.1:${port}${target.pathname}`,
              keepBack: each((near, far) => near.unpipe(far)),
              deliver: each((near, far) => near.pipe(far)),
              close: () => {
                each((near, far) => {
                  near.destroy()
                  far.destroy()
                })()
                server.close()
              },
            }),
          )
        })
      },
    ),
    (way) => Effect.sync(way.close),
  )

const allowanceOn = (url: string) =>
  Effect.map(
    Layer.build(Layer.fresh(AllowanceRedis.layer.pipe(Layer.provideMerge(RedisClient.layerOf(Redacted.make(url)))))),
    (context) => ({ allowance: Context.get(context, Allowance), redis: Context.get(context, RedisClient) }),
  )

const now = Date.UTC(2099, 0, 1)
const standing = snapshot({ periodEnd: now, terms: terms({ serviceUntil: now, anchor: 0 }) })

describe("an ask that Redis gets after its caller has given up", () => {
  it.live("holds nothing, whether it was given back or settled in the meantime", () =>
    Effect.gen(function* () {
      // A server of its own: what it has carried out is counted for all its clients.
      const { url } = yield* startRedis()
      const way = yield* slowWay(new URL(url))
      const { allowance: slow } = yield* allowanceOn(way.url)
      const { allowance, redis } = yield* allowanceOn(url)
      yield* allowance.rebuild(standing)
      // Known to the slow way's connection, and whole in Redis.
      assert.strictEqual((yield* slow.admit(ask("first")))._tag, "Admitted")
      yield* allowance.release(holdOf("first"))

      way.keepBack()
      const asks = ["given back", "settled"].map((request) => Effect.flip(slow.admit(ask(request))))
      const errors = yield* Effect.all(asks, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        errors.map((error) => error._tag),
        ["StoreUnavailable", "StoreUnavailable"],
      )
      yield* allowance.release(holdOf("given back"))
      yield* allowance.settle(settlement(holdOf("settled"), 5))
      const before = yield* redis.call("commands", (one) => one.info("commandstats"))
      way.deliver()

      // They are carried out, if late: only then does it say anything that nothing is held.
      const calls = (stats: string) => Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0)
      yield* redis
        .call("commands", (one) => one.info("commandstats"))
        .pipe(
          Effect.filterOrFail((stats) => calls(stats) === calls(before) + 2),
          Effect.retry(Schedule.spaced("20 millis")),
          Effect.timeout("5 seconds"),
        )
      const left = yield* redis.call("left", (one) =>
        Promise.all([one.hget(`limit:{${customer}}`, "held"), one.hgetall(`holds:{${customer}}`), one.zcard("holds")]),
      )
      assert.deepStrictEqual(left, ["0", {}, 0])
    }).pipe(Effect.scoped),
  )
})
