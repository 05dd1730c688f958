/** The operator's way into a pod that may answer anything, and to Telegram, over real HTTP. */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { BotTokens, type Verdict } from "../src/BotTokens.ts"
import { PodHttp, type PodRequest } from "../src/PodHttp.ts"
import { serve } from "./FakeServers.ts"

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const pod = (answer: Answer, more: Partial<PodRequest> = {}) =>
  Effect.gen(function* () {
    const { hostname, port } = new URL(yield* serve(answer))
    const http = yield* PodHttp
    return yield* Effect.result(http.get({ ip: hostname, port: Number(port), path: "/readyz", ...more }))
  }).pipe(Effect.scoped, Effect.provide(PodHttp.layer.pipe(Layer.provide(NodeHttpClient.layerNodeHttp))))

describe("a pod", () => {
  it.live("is asked with the bearer only when one is given, and gives its status and body", () =>
    Effect.gen(function* () {
      const seen: Array<string | undefined> = []
      const answer: Answer = (request, response) => {
        seen.push(request.headers.authorization)
        response.statusCode = 503
        response.end('{"ready":false}')
      }
      const plain = yield* pod(answer)
      assert.deepStrictEqual(Result.isSuccess(plain) ? plain.success : undefined, {
        status: 503,
        body: '{"ready":false}',
      })
      yield* pod(answer, { bearer: Redacted.make("gateway") })
      assert.deepStrictEqual(seen, [undefined, "Bearer gateway"])
    }),
  )

  it.live("leads the operator nowhere else", () =>
    Effect.gen(function* () {
      let reached = 0
      const elsewhere = yield* serve((_, response) => {
        reached += 1
        response.end('{"ready":true}')
      })
      const answer = yield* pod((_, response) => {
        response.writeHead(307, { location: elsewhere })
        response.end()
      })
      assert.strictEqual(Result.isSuccess(answer) ? answer.success.status : 0, 307)
      assert.strictEqual(reached, 0)
    }).pipe(Effect.scoped),
  )

  it.live("that floods, hangs or is not there counts as unanswered, soon", () =>
    Effect.gen(function* () {
      const began = performance.now()
      const flood = yield* pod((_, response) => {
        const timer = setInterval(() => response.write("x".repeat(65_536)), 1)
        response.on("close", () => clearInterval(timer))
      })
      const hang = yield* pod(() => {})
      const drip = yield* pod((_, response) => void response.write("{"))
      const http = yield* PodHttp
      const none = yield* Effect.result(http.get({ ip: "127.0.0.1", port: 1, path: "/readyz" }))
      for (const one of [flood, hang, drip, none])
        assert.strictEqual(Result.isFailure(one) ? one.failure._tag : "answered", "PodUnanswered")
      assert.isBelow(performance.now() - began, 15_000)
    }).pipe(Effect.provide(PodHttp.layer.pipe(Layer.provide(NodeHttpClient.layerNodeHttp)))),
  )
})

describe("Telegram's word on a token", () => {
  const token = Redacted.make("4242:secret-token")
  const said = (answer: Answer) =>
    Effect.gen(function* () {
      const asked: Array<string | undefined> = []
      const origin = yield* serve((request, response) => {
        asked.push(request.url)
        answer(request, response)
      })
      const layer = BotTokens.layer(origin).pipe(Layer.provide(NodeHttpClient.layerNodeHttp))
      const verdict = yield* BotTokens.use((tokens) => tokens.check(token)).pipe(Effect.provide(layer))
      assert.deepStrictEqual(asked, ["/bot4242:secret-token/getMe"])
      return verdict
    }).pipe(Effect.scoped)

  it.live("rejects only what Telegram itself calls unauthorized or unknown", () =>
    Effect.gen(function* () {
      const verdicts: Array<readonly [number, Verdict]> = [
        [200, "accepted"],
        [401, "rejected"],
        [404, "rejected"],
        [403, "unknown"],
        [409, "unknown"],
        [429, "unknown"],
        [500, "unknown"],
        [502, "unknown"],
      ]
      for (const [status, verdict] of verdicts) {
        const answer: Answer = (_, response) => {
          response.statusCode = status
          response.end("{}")
        }
        assert.strictEqual(yield* said(answer), verdict, String(status))
      }
      assert.strictEqual(yield* said((_, response) => void response.destroy()), "unknown")
    }),
  )
})
