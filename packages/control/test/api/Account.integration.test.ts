import { CustomerId, OrderId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { routes } from "../../src/api/Server.ts"
import { Orders } from "../../src/billing/Orders.ts"
import { ask, bearer, openSession, serve, stores } from "./World.ts"

const server = serve(routes).pipe(Layer.provideMerge(Orders.layer), Layer.provideMerge(stores))

const placeOrder = (accountId: string, id: string) =>
  Orders.use((orders) =>
    orders.place({
      id: OrderId.make(id),
      accountId: CustomerId.make(accountId),
      conversationId: null,
      tier: "pro",
      facts: {},
      email: "a@example.com",
      telegramUserId: "4242",
      botUsername: "alice_bot",
    }),
  )

layer(server, { excludeTestServices: true })("the customer's API", (it) => {
  it.effect("opens an anonymous account with an HttpOnly cookie, and knows it again", () =>
    Effect.gen(function* () {
      const opened = yield* ask("/api/session", { body: {} })
      assert.strictEqual(opened.status, 200)
      assert.match(opened.json.accountId, /^c-[a-z2-7]{12}$/)
      assert.strictEqual(opened.json.token, null)
      assert.match(opened.cookie ?? "", /^berth_session=[\w-]{43}; Max-Age=7776000; Path=\/; HttpOnly; SameSite=Lax$/)
      const cookie = opened.cookie?.split(";")[0] ?? ""
      const again = yield* ask("/api/session", { body: {}, headers: { cookie } })
      assert.strictEqual(again.json.accountId, opened.json.accountId)
      assert.strictEqual(again.cookie, null)
    }),
  )

  it.effect("stores only the hash of a session, and lets it end", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, token } = yield* openSession
      const rows = yield* sql`SELECT * FROM sessions WHERE account_id = ${accountId}`
      assert.strictEqual(rows.length, 1)
      assert.notInclude(JSON.stringify(rows), token)
      assert.strictEqual((yield* ask("/api/agent", { headers: bearer(token) })).status, 404)
      yield* sql`UPDATE sessions SET expires_at = ${yield* Clock.currentTimeMillis} WHERE account_id = ${accountId}`
      assert.strictEqual((yield* ask("/api/agent", { headers: bearer(token) })).status, 401)
    }),
  )

  it.effect("answers 401 without a session and to a made-up one", () =>
    Effect.gen(function* () {
      for (const path of ["/api/agent", "/api/usage", "/api/orders/x", "/api/admin/customers"]) {
        assert.strictEqual((yield* ask(path)).status, 401, path)
        assert.strictEqual((yield* ask(path, { headers: bearer("made-up") })).status, 401, path)
        assert.strictEqual((yield* ask(path, { headers: { cookie: "berth_session=made-up" } })).status, 401, path)
      }
    }),
  )

  it.effect("refuses everyone the admin's routes", () =>
    Effect.gen(function* () {
      const { token } = yield* openSession
      const answer = yield* ask("/api/admin/customers", { headers: bearer(token) })
      assert.strictEqual(answer.status, 403)
      assert.strictEqual(answer.json._tag, "Forbidden")
    }),
  )

  it.effect("shows an order to its own account alone", () =>
    Effect.gen(function* () {
      const mine = yield* openSession
      const other = yield* openSession
      yield* placeOrder(mine.accountId, "order-1")
      const seen = yield* ask("/api/orders/order-1", { headers: bearer(mine.token) })
      assert.deepStrictEqual(seen.json, {
        id: "order-1",
        tier: "pro",
        headline: "Pro · $49/mo · 5M tokens/mo",
        status: "open",
        checkoutUrl: null,
      })
      assert.strictEqual((yield* ask("/api/orders/order-1", { headers: bearer(other.token) })).status, 404)
      assert.strictEqual((yield* ask("/api/orders/none", { headers: bearer(mine.token) })).status, 404)
    }),
  )

  it.effect("shows the agent in words and the usage from Postgres while the store holds nothing", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const now = yield* Clock.currentTimeMillis
      const { accountId, token } = yield* openSession
      const other = yield* openSession
      yield* placeOrder(accountId, "order-2")
      const desired = {
        tier: "pro",
        models: ["kimi-k2.6", "kimi-k2.7-code"],
        imageChannel: "stable",
        telegram: { botUsername: "alice_bot", allowedUserIds: ["4242"] },
        suspended: [],
        secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1 },
      }
      yield* sql`INSERT INTO agents (customer_id, order_id, generation, desired, phase, steps, created_at, updated_at)
        VALUES (${accountId}, 'order-2', 1, ${JSON.stringify(desired)}::text::jsonb, 'active',
                '[{"step":"Namespace","at":5}]', ${now}, ${now})`
      yield* sql`INSERT INTO allowances (customer_id, rev, tier, plan, next_plan, packs, anchor, service_until)
        VALUES (${accountId}, 1, 'pro', 5000000, 5000000, 100, ${now}, ${now + 1})`
      yield* sql`INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
        VALUES (${accountId}, 0, ${now}, ${now + 1_000_000}, 5000000, false)`
      yield* sql`INSERT INTO ledger_entries
        (source_id, customer_id, kind, period, tokens, model, prompt, cached, completion, at)
        VALUES ('usage:r1:1', ${accountId}, 'usage', 0, 2000, 'kimi-k2.6', 1200, 0, 800, ${now})`
      const agent = (yield* ask("/api/agent", { headers: bearer(token) })).json
      assert.strictEqual(agent.summary, "Your agent is live. Message @alice_bot.")
      assert.strictEqual(agent.botUrl, "https://t.me/alice_bot")
      assert.deepStrictEqual(agent.steps, [{ step: "Namespace", at: 5 }])
      const usage = (yield* ask("/api/usage", { headers: bearer(token) })).json
      assert.strictEqual(usage.used, 2000)
      assert.strictEqual(usage.limit, 5_000_100)
      assert.strictEqual(usage.resetsAt, now + 1_000_000)
      assert.deepInclude(usage.days[0], { prompt: 1200, completion: 800, charged: 2000, requests: 1 })
      assert.deepInclude(usage.recent[0], { model: "kimi-k2.6", charged: 2000, estimated: false })
      assert.strictEqual((yield* ask("/api/agent", { headers: bearer(other.token) })).status, 404)
      assert.strictEqual((yield* ask("/api/usage", { headers: bearer(other.token) })).status, 404)
    }),
  )

  it.effect("lets no other site open or use a session", () =>
    Effect.gen(function* () {
      const evil = { origin: "https://evil.example" }
      assert.strictEqual((yield* ask("/api/session", { body: {}, headers: evil })).status, 403)
      const ours = yield* ask("/api/session", { body: {}, headers: { origin: "http://localhost:5173" } })
      assert.strictEqual(ours.status, 200)
    }),
  )

  it.effect("bounds a body, and answers 503 while Postgres fails", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { token } = yield* openSession
      const large = yield* ask("/api/session", { body: { bearer: true, padding: "x".repeat(1_200_000) } })
      assert.isTrue(large.status >= 400 && large.status < 500, String(large.status))
      yield* sql`ALTER TABLE sessions RENAME TO away`
      const answer = yield* ask("/api/agent", { headers: bearer(token) })
      yield* sql`ALTER TABLE away RENAME TO sessions`
      assert.strictEqual(answer.status, 503)
      assert.strictEqual(answer.json._tag, "StoreUnavailable")
      assert.notInclude(answer.text, "sessions")
      assert.strictEqual((yield* ask("/api/agent", { headers: bearer(token) })).status, 404)
    }),
  )

  it.effect("tells nothing of what a store's driver said", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { token } = yield* openSession
      yield* sql`ALTER TABLE allowances RENAME TO away`
      const answer = yield* ask("/api/usage", { headers: bearer(token) })
      yield* sql`ALTER TABLE away RENAME TO allowances`
      assert.strictEqual(answer.status, 503)
      assert.deepStrictEqual(Object.keys(answer.json).sort(), ["_tag", "message", "store"])
      assert.notInclude(answer.text, "allowances")
    }),
  )

  it.effect("documents the whole public API", () =>
    Effect.gen(function* () {
      const spec = (yield* ask("/openapi.json")).json
      assert.includeMembers(Object.keys(spec.paths), ["/api/session", "/api/agent", "/api/conversations/{id}/messages"])
      assert.include((yield* ask("/docs")).text, "<html")
    }),
  )
})
