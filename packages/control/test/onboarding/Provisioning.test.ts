import { OrderId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Provisioning } from "../../src/onboarding/Provisioning.ts"

interface Sent {
  readonly url: string
  readonly authorization: string | undefined
}

/** An internal port that answers everything alike, and what it was asked. */
const answering = (answer: (() => Response) | "hang up") => {
  const sent: Array<Sent> = []
  const client = HttpClient.make((request, url) => {
    sent.push({ url: `${request.method} ${url.href}`, authorization: request.headers["authorization"] })
    return answer === "hang up" ? Effect.never : Effect.sync(() => HttpClientResponse.fromWeb(request, answer()))
  })
  return { sent, client: Layer.succeed(HttpClient.HttpClient, client) }
}

const json = (status: number, body: unknown) => () => Response.json(body, { status })
const accepted = json(202, { jobId: "job:o:1" })

const provision = Provisioning.use((provisioning) => provisioning.provision(OrderId.make("o")))
const options = { url: "http://internal.test:3011", token: Redacted.make("s3rvice") }

describe("Provisioning", () => {
  it.effect("asks with the bearer and tells each answer apart; whatever fails is unavailable", () =>
    Effect.gen(function* () {
      const logged: Array<unknown> = []
      const log = Logger.layer([Logger.make(({ message }) => logged.push(message))])
      for (const [answer, outcome] of [
        [accepted, { _tag: "accepted", jobId: "job:o:1" }],
        [json(409, { _tag: "Conflict", message: "The order is not paid." }), { _tag: "unpaid" }],
        [json(404, { _tag: "NotFound", message: "There is no such order." }), { _tag: "unavailable" }],
        [json(401, { _tag: "Unauthorized", message: "No." }), { _tag: "unavailable" }],
        [json(503, { _tag: "StoreUnavailable" }), { _tag: "unavailable" }],
        [json(500, {}), { _tag: "unavailable" }],
        [json(202, { nonsense: true }), { _tag: "unavailable" }],
        [() => new Response("<html>", { status: 502 }), { _tag: "unavailable" }],
      ] as const) {
        const { client, sent } = answering(answer)
        const layer = Provisioning.layer(options).pipe(Layer.provide(client), Layer.merge(log))
        assert.deepStrictEqual(yield* Effect.provide(provision, layer), outcome)
        assert.deepStrictEqual(sent, [
          { url: "POST http://internal.test:3011/provision", authorization: "Bearer s3rvice" },
        ])
      }
      assert.lengthOf(logged, 6, "every failure is told to ops")
      assert.notInclude(JSON.stringify(logged), "s3rvice")
    }),
  )

  it.effect("waits 20 seconds for an answer, no longer", () =>
    Effect.gen(function* () {
      const { client } = answering("hang up")
      const asking = provision.pipe(Effect.provide(Provisioning.layer(options).pipe(Layer.provide(client))))
      const [outcome] = yield* Effect.all([asking, TestClock.adjust("20 seconds")], { concurrency: 2 })
      assert.deepStrictEqual(outcome, { _tag: "unavailable" })
    }).pipe(Effect.provide(Logger.layer([]))),
  )

  it.effect("asks for an order once a second, however often its owner does", () => {
    const { client, sent } = answering(accepted)
    return Effect.gen(function* () {
      yield* Effect.all([provision, provision, provision], { concurrency: "unbounded" })
      yield* provision
      assert.lengthOf(sent, 1)
      yield* TestClock.adjust("1 second")
      yield* provision
      assert.lengthOf(sent, 2)
    }).pipe(Effect.provide(Provisioning.layer(options).pipe(Layer.provide(client))))
  })

  it.effect("reads where and with what to ask; without SERVICE_TOKEN it asks nobody", () =>
    Effect.gen(function* () {
      const given = (variables: Record<string, string>, local?: Redacted.Redacted<string>) => {
        const { client, sent } = answering(accepted)
        const layer = Provisioning.layerConfig(local).pipe(
          Layer.provide([client, ConfigProvider.layer(ConfigProvider.fromUnknown(variables)), Logger.layer([])]),
        )
        return Effect.map(Effect.provide(provision, layer), ({ _tag }) => ({ _tag, sent }))
      }
      assert.deepStrictEqual(yield* given({}), { _tag: "unavailable", sent: [] })
      assert.deepStrictEqual(yield* given({ SERVICE_TOKEN: "t", INTERNAL_URL: "http://api.platform.svc:3011/" }), {
        _tag: "accepted",
        sent: [{ url: "POST http://api.platform.svc:3011/provision", authorization: "Bearer t" }],
      })
      assert.deepStrictEqual(yield* given({}, Redacted.make("own")), {
        _tag: "accepted",
        sent: [{ url: "POST http://127.0.0.1:3011/provision", authorization: "Bearer own" }],
      })
    }),
  )
})
