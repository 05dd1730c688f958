/** Downloads of exports over HTTP: who gets what, until when, and that they stream. */
import { createHash, randomBytes } from "node:crypto"
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { type Exported, ExportStore, keyOf } from "@berth/domain/Exports"
import { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Age from "age-encryption"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import * as Server from "../../src/api/Server.ts"
import { ExportLinks } from "../../src/exports/ExportLinks.ts"
import { Exports } from "../../src/exports/Exports.ts"
import { ask, bearer, openSession, origin, serve, stores } from "../api/World.ts"
import { identity } from "./World.ts"

const recipient = await Age.identityToRecipient(identity)

/** A link without the origin that it names. */
const pathOf = (url: string) => url.slice(new URL(url).origin.length)

let next = 1
/** An account whose agent was exported with this content, just now unless told. */
const exported = Effect.fn(function* (content: Uint8Array, at?: number) {
  const sql = yield* SqlClient
  const store = yield* ExportStore
  const customerId = CustomerId.make(`exported-${next++}`)
  const when = at ?? (yield* Clock.currentTimeMillis)
  yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${customerId}, 'customer', 0)`
  const encrypter = new Age.Encrypter()
  encrypter.addRecipient(recipient)
  const bytes = yield* Effect.promise(() => encrypter.encrypt(content))
  const key = keyOf(customerId, 7)
  const { parts } = Redacted.value(yield* store.destination(key))
  const file = fileURLToPath(parts[0])
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, bytes)
  const one: Exported = { key, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") }
  yield* (yield* Exports).record(customerId, 7, one, when)
  const link = { customerId, generation: 7, expiresAt: when + 30 * 86_400_000 }
  return { customerId, file, link, path: pathOf((yield* ExportLinks).urlOf(link)) }
})

const get = (path: string) =>
  Effect.flatMap(origin, (at) =>
    Effect.promise(async () => {
      const response = await fetch(at + path)
      return { response, bytes: await response.bytes().catch(() => undefined) }
    }),
  )

const world = Layer.merge(serve(Server.routes), Exports.layer).pipe(Layer.provideMerge(stores))

layer(world, { excludeTestServices: true, timeout: 60_000 })("an export", (it) => {
  it.effect("is fetched by its link alone, opened on the way, whole and with its length", () =>
    Effect.gen(function* () {
      const content = randomBytes(3_000_000)
      const { path, customerId } = yield* exported(content)
      const { response, bytes } = yield* get(path)
      assert.strictEqual(response.status, 200)
      assert.isTrue(content.equals(bytes ?? Buffer.alloc(0)))
      assert.strictEqual(response.headers.get("content-length"), "3000000")
      assert.match(
        response.headers.get("content-disposition") ?? "",
        new RegExp(`^attachment; filename="openclaw-${customerId}-\\d{4}-\\d{2}-\\d{2}\\.tar\\.gz"$`),
      )
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.strictEqual(response.headers.get("x-content-type-options"), "nosniff")
    }),
  )

  it.effect("is nobody's without a link that we signed, nor by a link to another", () =>
    Effect.gen(function* () {
      const one = yield* exported(Buffer.from("ada's"))
      const other = yield* exported(Buffer.from("bob's"))
      const swapped = one.path.replace(one.customerId, other.customerId)
      for (const path of [swapped, `${one.path}x`, "/api/exports/", "/api/exports/x"]) {
        const { response, bytes } = yield* get(path)
        assert.strictEqual(response.status, 404, path)
        assert.notInclude(Buffer.from(bytes ?? "").toString(), "bob's")
      }
    }),
  )

  it.effect("has ended with its link, after 30 days, and once it is removed", () =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const old = yield* exported(Buffer.from("old"), now - 30 * 86_400_000 - 1)
      assert.strictEqual((yield* get(old.path)).response.status, 410)
      // A link that lasts longer than the export helps nobody.
      const longer = (yield* ExportLinks).urlOf({ ...old.link, expiresAt: now + 1_000_000 })
      assert.strictEqual((yield* get(pathOf(longer))).response.status, 410)
      const fresh = yield* exported(Buffer.from("fresh"))
      const ended = (yield* ExportLinks).urlOf({ ...fresh.link, expiresAt: now - 1 })
      assert.strictEqual((yield* get(pathOf(ended))).response.status, 410)
      const gone = yield* exported(Buffer.from("gone"))
      yield* (yield* Exports).removed(gone.customerId, 7)
      assert.strictEqual((yield* get(gone.path)).response.status, 410)
    }),
  )

  it.effect("that was cut short or altered in the store is never taken for a whole one", () =>
    Effect.gen(function* () {
      const cut = yield* exported(randomBytes(500_000))
      truncateSync(cut.file, 400_000)
      assert.notStrictEqual((yield* get(cut.path)).response.status, 200)
      const altered = yield* exported(randomBytes(500_000))
      const bytes = readFileSync(altered.file)
      bytes[300_000] = (bytes[300_000] ?? 0) ^ 1
      writeFileSync(altered.file, bytes)
      const { bytes: got } = yield* get(altered.path)
      assert.isUndefined(got, "the answer breaks off")
    }),
  )

  it.effect("is fetched by no more than two at once, and by others again once one of them has left", () =>
    Effect.gen(function* () {
      const { path } = yield* exported(randomBytes(64_000_000))
      const at = yield* origin
      const begun = yield* Effect.promise(() => Promise.all([fetch(at + path), fetch(at + path)]))
      assert.deepStrictEqual(
        begun.map(({ status }) => status),
        [200, 200],
      )
      const third = yield* get(path)
      assert.strictEqual(third.response.status, 429)
      yield* Effect.promise(() => Promise.all(begun.map(({ body }) => body?.cancel())))
      for (let tries = 0; (yield* get(path)).response.status !== 200; tries++) {
        assert.isBelow(tries, 50, "a place is given back")
        yield* Effect.sleep("100 millis")
      }
    }),
  )

  it.effect("is not held by whoever asks for its head alone, which tells its length", () =>
    Effect.gen(function* () {
      const { path } = yield* exported(randomBytes(100_000))
      const at = yield* origin
      for (let asked = 0; asked < 5; asked++) {
        const head = yield* Effect.promise(() => fetch(at + path, { method: "HEAD" }))
        assert.strictEqual(head.status, 200)
        assert.strictEqual(head.headers.get("content-length"), "100000")
      }
      assert.strictEqual((yield* get(path)).response.status, 200)
    }),
  )

  it.effect("stands on its owner's page with a link that works, and on nobody else's", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const { accountId, token } = yield* openSession
      const desired = {
        tier: "pro",
        models: ["kimi-k2.6"],
        imageChannel: "stable",
        telegram: { botUsername: "ada_bot", allowedUserIds: ["1"] },
        suspended: [],
        secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1 },
      }
      yield* sql`INSERT INTO orders (id, account_id, tier, facts, email, telegram_user_id, bot_username, status, created_at)
                 VALUES (${`ord-${accountId}`}, ${accountId}, 'pro', '{}', 'a@b.c', '1', 'ada_bot', 'paid', 1)`
      yield* sql`INSERT INTO agents (customer_id, order_id, generation, desired, phase, created_at, updated_at)
                 VALUES (${accountId}, ${`ord-${accountId}`}, 1, ${JSON.stringify(desired)}::text::jsonb, 'active', 1, 1)`
      const mine = () => ask("/api/agent", { headers: bearer(token) })
      assert.isNull((yield* mine()).json.export)

      const other = yield* exported(Buffer.from("mine"))
      yield* sql`UPDATE exports SET customer_id = ${accountId} WHERE customer_id = ${other.customerId}`
      const { url, size } = (yield* mine()).json.export
      assert.isAbove(size, 0)
      const { response, bytes } = yield* get(pathOf(url))
      assert.strictEqual(response.status, 200)
      assert.strictEqual(Buffer.from(bytes ?? "").toString(), "mine")

      const asked = (confirm: string) => ask("/api/agent/deletion", { body: { confirm }, headers: bearer(token) })
      assert.strictEqual((yield* asked("somebody_else")).status, 422)
      assert.strictEqual((yield* asked("@Ada_Bot ")).status, 202)
      assert.deepEqual(yield* sql`SELECT action, actor FROM agent_requests WHERE customer_id = ${accountId}`, [
        { action: "delete", actor: "customer" },
      ])
      assert.strictEqual((yield* ask("/api/agent/deletion", { body: { confirm: "ada_bot" } })).status, 401)
    }),
  )
})
