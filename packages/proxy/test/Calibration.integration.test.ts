/** What one proxy learnt of prompts is in Redis, and the next one's bounds are the closer for it. */
import * as CalibrationsRedis from "@berth/domain/live/CalibrationsRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stub from "./StubUpstream.ts"
import { requestsOf } from "./texts/Requests.ts"
import { promptTokensOf, tokenizers } from "./texts/Tokenizers.ts"
import * as World from "./World.ts"

it.live("a proxy that starts anew holds no more for a known customer than the one before it", () =>
  Effect.gen(function* () {
    const url = yield* freshRedis
    const redis = RedisClient.layerOf(Redacted.make(url))
    const alice = World.customer("kept", { plan: 50_000_000, tier: "team" })
    const requests = requestsOf("Chinese", "unseen", 13)
    const last = requests[12] ?? {}
    const counting: Stub.Behaviour = (received, response) =>
      Stub.either({ prompt: promptTokensOf(received.body, tokenizers.deepseek), completion: 7 })(received, response)
    /** Says nothing of what it counted, so that nothing is learnt here. */
    const silent: Stub.Behaviour = (_received, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" })
      response.end(Stub.role + Stub.word(1) + Stub.finished + Stub.done)
    }
    const start = (behaviour: Stub.Behaviour) =>
      World.start({
        customers: [alice],
        behaviour,
        calibrations: Layer.fresh(CalibrationsRedis.layer.pipe(Layer.provide(Layer.fresh(redis)))),
      })
    const held = Effect.fnUntraced(function* (world: World.World, body: object) {
      const { status, headers } = yield* World.chat(world, alice.token, body)
      assert.strictEqual(status, 200)
      return Number(headers.get("x-berth-hold-tokens"))
    })
    const [first, learnt] = yield* Effect.scoped(
      Effect.gen(function* () {
        const world = yield* start(counting)
        const first = yield* held(world, last)
        for (const body of requests.slice(0, 12)) yield* held(world, body)
        return [first, yield* held(world, last)] as const
      }),
    )
    const next = yield* start(silent)
    let again = yield* held(next, last)
    // Its first request has it look the customer up, in the background.
    for (let tries = 0; tries < 200 && again >= first; tries++) {
      yield* Effect.sleep(20)
      again = yield* held(next, last)
    }
    assert.isBelow(learnt, first)
    assert.approximately(again, learnt, (first - learnt) / 10)
  }),
)
