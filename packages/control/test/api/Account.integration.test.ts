import { CustomerId, OrderId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
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

/** A Pro allowance of 5,000,100 tokens in its second period. */
const allowanceFor = Effect.fn("allowanceFor")(function* (accountId: string) {
  const sql = yield* SqlClient
  const now = yield* Clock.currentTimeMillis
  yield* sql`INSERT INTO allowances
    (customer_id, rev, tier, plan, next_plan, packs, anchor, service_until, background_cap)
    VALUES (${accountId}, 1, 'pro', 5000000, 5000000, 100, ${now}, ${now + 1}, 1000000)`
  yield* sql`INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
    VALUES (${accountId}, 1, ${now}, ${now + 1_000_000}, 5000000, false)`
})

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
      yield* sql`INSERT INTO allowances
        (customer_id, rev, tier, plan, next_plan, packs, anchor, service_until, background_cap)
        VALUES (${accountId}, 1, 'pro', 5000000, 5000000, 100, ${now}, ${now + 1}, 1000000)`
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
      assert.deepInclude(usage.recent[0], { model: "kimi-k2.6", charged: 2000, estimated: false, background: false })
      assert.strictEqual((yield* ask("/api/agent", { headers: bearer(other.token) })).status, 404)
      assert.strictEqual((yield* ask("/api/usage", { headers: bearer(other.token) })).status, 404)
    }),
  )

  it.effect("shows usage by day and model, and what the agent did by itself apart", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const now = yield* Clock.currentTimeMillis
      const day = 86_400_000
      const { accountId, token } = yield* openSession
      yield* allowanceFor(accountId)
      const use = (id: string, at: number, tokens: number, model: string, background: boolean, period = 1) => sql`
        INSERT INTO ledger_entries
          (source_id, customer_id, kind, period, tokens, model, prompt, cached, completion, background, at)
        VALUES (${`usage:${accountId}-${id}:1`}, ${accountId}, 'usage', ${period}, ${tokens}, ${model}, ${tokens}, 0, 0,
                ${background}, ${at})`
      yield* use("a", now, 2_000, "kimi-k2.6", false)
      yield* use("b", now, 500, "kimi-k2.6", true)
      yield* use("c", now, 4_000, "kimi-k2.7-code", false)
      yield* use("d", now - 3 * day, 70, "kimi-k2.6", true, 0)
      yield* use("e", now - 40 * day, 9, "kimi-k2.6", false, 0)
      const { json: usage } = yield* ask("/api/usage", { headers: bearer(token) })
      const seen = (rows: ReadonlyArray<Record<string, unknown>>) =>
        rows.map(({ charged, background, requests }) => ({ charged, background, requests }))
      assert.deepStrictEqual(seen(usage.days), [
        { charged: 70, background: 70, requests: 1 },
        { charged: 6_500, background: 500, requests: 3 },
      ])
      assert.strictEqual(usage.days[1].day, DateTime.formatIsoDateUtc(DateTime.makeUnsafe(now)))
      assert.deepStrictEqual(
        usage.models.map(({ model }: { model: string }) => model),
        ["kimi-k2.7-code", "kimi-k2.6"],
      )
      assert.deepStrictEqual(seen(usage.models), [
        { charged: 4_000, background: 0, requests: 1 },
        { charged: 2_500, background: 500, requests: 2 },
      ])
      assert.deepStrictEqual(usage.background, { used: 500, cap: 1_000_000 })
      assert.deepInclude(usage.today, { used: 6_500, cap: null, resetsAt: (Math.floor(now / day) + 1) * day })
    }),
  )

  it.effect("sets and clears a daily cap, as a numbered change that the audit tells of", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, token } = yield* openSession
      yield* allowanceFor(accountId)
      const put = (cap: unknown) =>
        ask("/api/agent/daily-cap", { method: "PUT", body: { cap }, headers: bearer(token) })
      assert.deepStrictEqual((yield* put(200_000)).json, { cap: 200_000 })
      const usage = (yield* ask("/api/usage", { headers: bearer(token) })).json
      assert.strictEqual(usage.today.cap, 200_000)
      assert.strictEqual((yield* put(200_000)).status, 200)
      assert.deepStrictEqual((yield* put(null)).json, { cap: null })
      const changes = yield* sql<{ rev: number; cap: number | null }>`
        SELECT (payload ->> 'rev')::bigint AS rev, (payload -> 'terms' ->> 'dailyCap')::bigint AS cap
        FROM work WHERE queue = 'allowance' AND lane = ${accountId} ORDER BY position`
      assert.deepEqual(changes, [
        { rev: 2, cap: 200_000 },
        { rev: 3, cap: null },
      ])
      const audit = yield* sql`SELECT actor, action, detail FROM audit WHERE subject = ${accountId} ORDER BY id`
      assert.deepEqual(audit[0], { actor: accountId, action: "allowance.dailyCap", detail: { cap: 200_000 } })
    }),
  )

  it.effect("refuses a daily cap below a day's work or above the month's tokens, and says why", () =>
    Effect.gen(function* () {
      const { accountId, token } = yield* openSession
      const put = (cap: unknown) =>
        ask("/api/agent/daily-cap", { method: "PUT", body: { cap }, headers: bearer(token) })
      assert.strictEqual((yield* put(100_000)).status, 404, "no allowance yet")
      yield* allowanceFor(accountId)
      const low = yield* put(49_999)
      assert.strictEqual(low.status, 422)
      assert.strictEqual(
        low.json.message,
        "A daily cap is at least 50,000 tokens: with less your agent could not answer.",
      )
      const high = yield* put(5_000_101)
      assert.strictEqual(high.status, 422)
      assert.include(high.json.message, "at most your month's 5,000,100 tokens")
      assert.strictEqual((yield* put(5_000_100)).status, 200)
      for (const odd of ["100000", 100_000.5, -1, {}, undefined]) assert.isAbove((yield* put(odd)).status, 399)
      assert.strictEqual((yield* ask("/api/usage", { headers: bearer(token) })).json.today.cap, 5_000_100)
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
      assert.includeMembers(Object.keys(spec.paths), [
        "/api/session",
        "/api/agent",
        "/api/agent/daily-cap",
        "/api/conversations/{id}/messages",
      ])
      assert.include((yield* ask("/docs")).text, "<html")
    }),
  )
})
