import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { HttpServer } from "effect/http"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { signatureOf } from "../../src/embedded/StripeDouble.ts"
import { eventJson } from "../../src/embedded/StripeDouble/Objects.ts"
import { stripeEvents, webhookSecret, world } from "./World.ts"

const bodyOf = (id: string, type = "charge.updated") =>
  JSON.stringify(eventJson(id, type, { id: `ch_${id}`, object: "charge", customer: "cus_1" }, 0))

const post = Effect.fn("post")(function* (body: string, headers: Record<string, string>) {
  const { address } = yield* HttpServer.HttpServer
  const port = address._tag === "InetAddressV4" ? address.port : 0
  const response = yield* Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/webhooks/stripe`, { method: "POST", body, headers }),
  )
  return response.status
})

const signed = Effect.fn("signed")(function* (body: string, ageSeconds = 0, secret = webhookSecret) {
  const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  return { "stripe-signature": signatureOf(secret, body, now - ageSeconds) }
})

const inbox = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* sql<{ id: string; done: boolean }>`
    SELECT id, done_at IS NOT NULL AS done FROM work WHERE queue = 'stripe' ORDER BY id`
})

layer(world, { timeout: "60 seconds", excludeTestServices: true })("POST /webhooks/stripe", (it) => {
  it.effect("forged, stale, tampered, unsigned, malformed and oversized get 400 and leave nothing behind", () =>
    Effect.gen(function* () {
      const body = bodyOf("evt_bad")
      const big = bodyOf(`evt_${"x".repeat(600 * 1024)}`)
      const statuses = [
        yield* post(body, {}),
        yield* post(body, yield* signed(body, 0, Redacted.make("whsec_other"))),
        yield* post(body, yield* signed(body, 600)),
        yield* post(body.replace("cus_1", "cus_2"), yield* signed(body)),
        yield* post("not json", yield* signed("not json")),
        yield* post("{}", yield* signed("{}")),
        yield* post(body, { "stripe-signature": "t=,v1=" }),
        yield* post(big, yield* signed(big)),
      ]
      assert.deepStrictEqual(statuses, [400, 400, 400, 400, 400, 400, 400, 400])
      assert.deepStrictEqual(yield* inbox, [])
    }),
  )

  it.effect("a signed event is stored once, however often it comes, and an unknown type is marked done", () =>
    Effect.gen(function* () {
      const body = bodyOf("evt_good")
      for (let round = 0; round < 3; round++) assert.strictEqual(yield* post(body, yield* signed(body)), 200)
      assert.deepEqual(yield* inbox, [{ id: "stripe:evt_good", done: false }])
      yield* stripeEvents
      assert.strictEqual(yield* post(body, yield* signed(body)), 200)
      yield* stripeEvents
      assert.deepEqual(yield* inbox, [{ id: "stripe:evt_good", done: true }])
    }),
  )
})
