import { createServer } from "node:http"
import { connect } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Postgres from "@berth/domain/live/Postgres"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { Work } from "@berth/domain/Work"
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { HttpServer } from "effect/http"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import * as StripeWebhook from "../../src/billing/StripeWebhook.ts"
import { signatureOf } from "../../src/embedded/StripeDouble.ts"
import * as PaymentsStripe from "../../src/live/PaymentsStripe.ts"

const older = Redacted.make("whsec_older")
const newer = Redacted.make("whsec_newer")
const other = Redacted.make("whsec_other")

/** The endpoint as it stands while its secret is rotated. */
const world = HttpRouter.serve(StripeWebhook.layer, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(
    PaymentsStripe.layer({
      secretKey: Redacted.make("sk_test_none"),
      webhookSecrets: [older, newer],
      publicUrl: "https://berth.example",
    }),
  ),
  Layer.provideMerge(Work.layer),
  Layer.provideMerge(Layer.unwrap(Effect.map(freshDatabase, (url) => Postgres.layer(url)))),
  Layer.provideMerge(Logger.layer([])),
)

const apiVersion = "2026-10-28.endive"

const bodyOf = (id: string, more: object = {}) =>
  JSON.stringify({
    id,
    object: "event",
    api_version: apiVersion,
    created: 1_796_000_000,
    type: "invoice.paid",
    data: { object: { id: `in_${id}`, object: "invoice", customer: "cus_1" } },
    ...more,
  })

const port = Effect.map(HttpServer.HttpServer, ({ address }) => (address._tag === "InetAddressV4" ? address.port : 0))

const post = Effect.fn("post")(function* (body: string, headers: Record<string, string>) {
  const url = `http://127.0.0.1:${yield* port}/webhooks/stripe`
  return (yield* Effect.promise(() => fetch(url, { method: "POST", body, headers }))).status
})

const signed = Effect.fn("signed")(function* (body: string, ageSeconds = 0, secret = newer) {
  const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
  return { "stripe-signature": signatureOf(secret, body, now - ageSeconds) }
})

/** Sends half of what is announced, and hangs up. */
const cutShort = Effect.fn("cutShort")(function* (body: string, headers: Record<string, string>) {
  const to = yield* port
  yield* Effect.callback<void>((resume) => {
    const socket = connect(to, "127.0.0.1", () => {
      const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
      socket.write(
        `POST /webhooks/stripe HTTP/1.1\r\nhost: berth\r\ncontent-length: ${body.length}\r\n${head.join("")}\r\n`,
      )
      socket.write(body.slice(0, body.length / 2))
      setTimeout(() => socket.destroy(), 50)
    })
    socket.on("close", () => resume(Effect.void))
    socket.on("error", () => {})
  })
})

/** Every row of every table, as one digest each. */
const everything = Effect.gen(function* () {
  const sql = yield* SqlClient
  const tables = yield* sql<{ readonly name: string }>`
    SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) AS name FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE' ORDER BY 1`
  assert.isAbove(tables.length, 10)
  return yield* Effect.forEach(tables, ({ name }) =>
    sql.unsafe<{ readonly digest: string }>(`SELECT '${name}' AS name, count(*)::int AS rows,
      md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) AS digest FROM ${name} t`),
  )
})

const inbox = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* sql<{ readonly id: string; readonly lane: string; readonly payload: { readonly raw: string } }>`
    SELECT id, lane, payload FROM work WHERE queue = 'stripe' ORDER BY position`
})

const countOf = (outcome: string) =>
  Effect.map(Metric.value(Metric.withAttributes(StripeWebhook.webhooks, { outcome })), (state) => Number(state.count))

/** By how much an outcome's count grows while something is done. */
const counted = Effect.fn("counted")(function* <A, E, R>(outcome: string, act: Effect.Effect<A, E, R>, grows = 1) {
  const before = yield* countOf(outcome)
  const result = yield* act
  for (let tries = 0; tries < 200 && (yield* countOf(outcome)) < before + grows; tries++)
    yield* Effect.sleep("10 millis")
  assert.strictEqual((yield* countOf(outcome)) - before, grows, outcome)
  return result
})

const refusals: ReadonlyArray<
  readonly [name: string, outcome: string, status: number, act: Effect.Effect<number, never, HttpServer.HttpServer>]
> = (() => {
  const body = bodyOf("evt_bad")
  const sending = (text: string, ageSeconds?: number, secret?: typeof newer) =>
    Effect.flatMap(signed(text, ageSeconds, secret), (headers) => post(text, headers))
  const big = bodyOf("evt_big", { padding: "x".repeat(600 * 1024) })
  return [
    ["without a signature", "unsigned", 400, post(body, {})],
    ["signed by another secret", "signature", 400, sending(body, 0, other)],
    [
      "changed on its way",
      "signature",
      400,
      Effect.flatMap(signed(body), (headers) => post(body.replace("cus_1", "cus_2"), headers)),
    ],
    ["cut short", "signature", 400, Effect.flatMap(signed(body), (headers) => post(body.slice(0, 80), headers))],
    ["that is empty", "malformed", 400, Effect.flatMap(signed(""), (headers) => post("", headers))],
    ["with a signature that is none", "signature", 400, post(body, { "stripe-signature": "t=,v1=" })],
    ["caught and played again later", "stale", 400, sending(body, 301)],
    ["stale, by the older secret", "stale", 400, sending(body, 301, older)],
    ["that is no JSON", "malformed", 400, sending("not json")],
    ["that is no event", "malformed", 400, sending("{}")],
    ["without an id", "malformed", 400, sending(bodyOf(""))],
    ["without an object", "malformed", 400, sending(bodyOf("evt_bad", { data: {} }))],
    ["that is too big, whoever signed it", "too big", 413, sending(big)],
    ["that is too big and forged", "too big", 413, sending(big, 0, other)],
  ]
})()

layer(world, { timeout: "60 seconds", excludeTestServices: true })("POST /webhooks/stripe", (it) => {
  for (const [name, outcome, status, act] of refusals)
    it.effect(`a webhook ${name} is refused and counted (${outcome}), and nothing at all is written`, () =>
      Effect.gen(function* () {
        const before = yield* everything
        assert.strictEqual(yield* counted(outcome, act), status)
        assert.deepStrictEqual(yield* everything, before)
      }),
    )

  it.effect("a webhook whose sender hangs up midway is counted, and nothing at all is written", () =>
    Effect.gen(function* () {
      const before = yield* everything
      const body = bodyOf("evt_half", { padding: "x".repeat(100_000) })
      yield* counted(
        "unreadable",
        Effect.flatMap(signed(body), (headers) => cutShort(body, headers)),
      )
      assert.deepStrictEqual(yield* everything, before)
    }),
  )

  it.effect("an event is stored once as it was sent, by its customer's lane, however often it comes", () =>
    Effect.gen(function* () {
      const body = `${bodyOf("evt_good")}\n`
      const once = Effect.flatMap(signed(body), (headers) => post(body, headers))
      assert.strictEqual(yield* counted("accepted", once), 200)
      const stored = yield* everything
      const again = Effect.all([once, once, once], { concurrency: "unbounded" })
      assert.deepStrictEqual(yield* counted("repeated", again, 3), [200, 200, 200])
      assert.deepStrictEqual(yield* everything, stored)
      const [row] = (yield* inbox).filter(({ id }) => id === "stripe:evt_good")
      assert.strictEqual(row?.lane, "cus_1")
      assert.deepStrictEqual<unknown>(row?.payload, {
        id: "evt_good",
        type: "invoice.paid",
        apiVersion,
        objectId: "in_evt_good",
        stripeCustomerId: "cus_1",
        paymentId: null,
        createdAt: 1_796_000_000_000,
        raw: body,
      })
    }),
  )

  it.effect("the same event at once, many times over, is stored once", () =>
    Effect.gen(function* () {
      const body = bodyOf("evt_crowd")
      const once = Effect.flatMap(signed(body), (headers) => post(body, headers))
      const all = Effect.all(
        Array.from({ length: 12 }, () => once),
        { concurrency: "unbounded" },
      )
      const statuses = yield* counted("accepted", counted("repeated", all, 11))
      assert.deepStrictEqual([...new Set(statuses)], [200])
      assert.lengthOf(
        (yield* inbox).filter(({ id }) => id === "stripe:evt_crowd"),
        1,
      )
    }),
  )

  it.effect("while the secret is rotated, what either signs is accepted", () =>
    Effect.gen(function* () {
      for (const [id, secret] of [
        ["evt_older", older],
        ["evt_newer", newer],
      ] as const) {
        const body = bodyOf(id)
        const send = Effect.flatMap(signed(body, 0, secret), (headers) => post(body, headers))
        assert.strictEqual(yield* counted("accepted", send), 200)
      }
      const ids = (yield* inbox).map(({ id }) => id)
      assert.includeMembers(ids, ["stripe:evt_older", "stripe:evt_newer"])
    }),
  )

  it.effect("an event of a type that no rule handles is stored, and counted apart", () =>
    Effect.gen(function* () {
      const body = bodyOf("evt_unknown", { type: "capability.updated", data: { object: { id: "acct_1" } } })
      const send = Effect.flatMap(signed(body), (headers) => post(body, headers))
      assert.strictEqual(yield* counted("unknown", send), 200)
      const [row] = (yield* inbox).filter(({ id }) => id === "stripe:evt_unknown")
      assert.deepInclude(row, { lane: "evt_unknown" })
    }),
  )

  it.effect("an event of another API version is accepted, and counted by that version", () =>
    Effect.gen(function* () {
      for (const [version, label] of [
        ["2025-03-31.basil", "2025-03-31.basil"],
        [null, "none"],
      ] as const) {
        const metric = Metric.withAttributes(StripeWebhook.otherVersions, { version: label })
        const before = Number((yield* Metric.value(metric)).count)
        const body = bodyOf(`evt_version_${label}`, { api_version: version })
        const send = Effect.flatMap(signed(body), (headers) => post(body, headers))
        assert.strictEqual(yield* counted("accepted", send), 200)
        assert.strictEqual(Number((yield* Metric.value(metric)).count) - before, 1)
      }
    }),
  )
})
