/**
 * kill -9 of the whole process at random points between payment and a live agent, and Redis lost whole, on a real Postgres
 * and on embedded defaults. Whatever happens, the customer ends with one agent that answers, charged once, told once.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import * as Postgres from "@berth/domain/live/Postgres"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { Redis } from "ioredis"
import { alice, answerAll, card, client as clientOf, get, say, tell } from "../../src/demo/Customer.ts"
import * as BerthProcess from "./BerthProcess.ts"

const connections = Layer.mergeAll(FetchHttpClient.layer, NodeSocket.layerWebSocketConstructor)

const Mails = Schema.Array(Schema.Struct({ text: Schema.String }))
const Chat = Schema.Struct({ messages: Schema.Array(Schema.Struct({ text: Schema.String })) })
/** A customer with a bot of that name, at the payment page. */
const atCheckout = Effect.fn("atCheckout")(function* (origin: string, bot: string) {
  const session = yield* (yield* clientOf(origin)).session.open({ payload: { bearer: true } })
  const api = yield* clientOf(origin, session.token ?? "")
  const { id } = yield* api.chat.open()
  yield* say(api, id, "Help me write Python and review my PRs")
  yield* answerAll(origin, api, id, bot)
  yield* say(api, id, "Yes, set it up")
  const checkout = yield* card(api, id, "Checkout")
  const { orderId, url: checkoutUrl } = checkout
  return { bot, accountId: session.accountId, bearer: session.token ?? "", orderId, checkoutUrl, api }
})
type Customer = Effect.Success<ReturnType<typeof atCheckout>>

const pay = ({ checkoutUrl }: Customer) => HttpClient.execute(HttpClientRequest.post(`${checkoutUrl}/pay`))

const soon = { schedule: Schedule.spaced("200 millis"), times: 150 }

/** Pays, and every other customer comes back from the payment page, which tells so until it is heard. */
const payAs = (index: number, customer: Customer) =>
  index % 2 === 0 ? pay(customer) : Effect.andThen(pay(customer), comeBack(customer))

const comeBack = ({ api, orderId }: Customer) =>
  api.chat.returned({ payload: { orderId } }).pipe(
    Effect.flatMap(({ outcome }) => (outcome === "accepted" ? Effect.void : Effect.fail(new Error(outcome)))),
    Effect.retry(soon),
  )

/** What must hold for a paid customer, however they got there. */
const endsWell = Effect.fn("endsWell")(function* (berth: BerthProcess.BerthProcess, customer: Customer) {
  const { origin } = berth
  const { accountId, bearer, bot } = customer
  const api = yield* clientOf(origin, bearer)
  yield* api.account.agent().pipe(
    Effect.flatMap((agent) => (agent.phase === "active" ? Effect.void : Effect.fail(new Error(agent.phase)))),
    Effect.retry(soon),
  )
  const chat = `${origin}/dev/telegram/chats/${bot}/${alice.id}`
  const before = (yield* get(chat, Chat)).messages.length
  yield* tell(origin, bot, "Are you there?")
  yield* get(chat, Chat).pipe(
    Effect.flatMap(({ messages }) =>
      messages.length >= before + 2 ? Effect.void : Effect.fail(new Error("the bot has not answered")),
    ),
    Effect.retry(soon),
  )
  const usage = yield* api.account.usage().pipe(
    Effect.flatMap((now) =>
      now.recent.length > 0 ? Effect.succeed(now) : Effect.fail(new Error("nothing is recorded")),
    ),
    Effect.retry(soon),
  )
  assert.strictEqual(usage.limit, 5_000_000, "granted once")
  assert.strictEqual(
    usage.recent.reduce((sum, call) => sum + call.charged, 0),
    usage.used,
    "ledger and allowance agree",
  )
  const mails = (yield* get(`${origin}/dev/mail`, Mails)).filter(({ text }) => text.includes(`@${bot}`))
  assert.strictEqual(mails.length, 1, "told by mail once")
  const { subscriptions, invoices } = yield* berth.stripe
  const own = Object.values(subscriptions).filter(({ metadata }) => metadata["account_id"] === accountId)
  assert.strictEqual(own.length, 1, "one subscription")
  const paid = Object.values(invoices).filter(({ subscriptionId }) => subscriptionId === own[0]?.id)
  assert.strictEqual(paid.length, 1, "charged once")
})

const sqlOf = (url: Redacted.Redacted<string>) =>
  Layer.build(Postgres.layer(url, 2)).pipe(Effect.flatMap((built) => Effect.provideContext(SqlClient, built)))

describe("kill -9 between payment and a live agent", () => {
  it.live(
    "on real Postgres and Redis, ends with the customer active and billed once",
    () =>
      Effect.gen(function* () {
        const database = yield* freshDatabase
        const redisUrl = yield* freshRedis
        const berth = yield* BerthProcess.make({ DATABASE_URL: Redacted.value(database), REDIS_URL: redisUrl })
        for (const [index, millis] of [0, 15, 60, 150, 300, 600, 900].entries()) {
          const customer = yield* atCheckout(berth.origin, `crash_${index}_bot`)
          yield* Effect.forkScoped(Effect.ignore(payAs(index, customer)))
          yield* Effect.sleep(millis)
          yield* berth.kill
          yield* berth.start
          // Killed before the payment was taken, the page is still open and can be paid.
          yield* payAs(index, customer)
          yield* endsWell(berth, customer)
        }
        const sql = yield* sqlOf(database)
        // Each start fills the memory cluster anew, so the first customers' agents may still be on their way up.
        const standing = Effect.gen(function* () {
          const agents = yield* sql`SELECT 1 FROM agents WHERE phase = 'active'`
          const jobs = yield* sql`SELECT 1 FROM work WHERE queue = 'jobs' AND done_at IS NULL`
          return [agents.length, jobs.length]
        })
        const last = yield* Effect.repeat(standing, { ...soon, until: ([active, open]) => active === 7 && open === 0 })
        assert.deepStrictEqual(last, [7, 0], "every agent is active and every job row closed")
      }).pipe(Effect.scoped, Effect.provide(connections)),
    180_000,
  )

  it.live(
    "on embedded defaults, where memory Redis and memory cluster die with the process",
    () =>
      Effect.gen(function* () {
        const berth = yield* BerthProcess.make({ DATABASE_URL: "", REDIS_URL: "" })
        for (const [index, millis] of [10, 120, 500].entries()) {
          const customer = yield* atCheckout(berth.origin, `memory_${index}_bot`)
          yield* Effect.forkScoped(Effect.ignore(payAs(index, customer)))
          yield* Effect.sleep(millis)
          yield* berth.kill
          yield* berth.start
          yield* payAs(index, customer)
          yield* endsWell(berth, customer)
        }
      }).pipe(Effect.scoped, Effect.provide(connections)),
    120_000,
  )
})

describe("Redis lost whole", () => {
  it.live(
    "before, during and after provisioning: the agent comes up, and what was recorded stays counted",
    () =>
      Effect.gen(function* () {
        const database = yield* freshDatabase
        const redisUrl = yield* freshRedis
        const redis = yield* Effect.acquireRelease(
          Effect.sync(() => new Redis(redisUrl)),
          (one) => Effect.sync(() => one.disconnect()),
        )
        const lose = Effect.promise(() => redis.flushdb())
        const berth = yield* BerthProcess.make({ DATABASE_URL: Redacted.value(database), REDIS_URL: redisUrl })
        for (const [index, millis] of [0, 40, 200, 450, 800].entries()) {
          const customer = yield* atCheckout(berth.origin, `redis_${index}_bot`)
          yield* payAs(index, customer)
          yield* Effect.sleep(millis)
          yield* lose
          yield* endsWell(berth, customer)
          const api = yield* clientOf(berth.origin, customer.bearer)
          const { used } = yield* api.account.usage()
          yield* lose
          const after = yield* api.account
            .usage()
            .pipe(Effect.repeat({ ...soon, until: (usage) => usage.used === used }))
          assert.deepStrictEqual([after.used, after.limit], [used, 5_000_000], "rebuilt from Postgres")
        }
      }).pipe(Effect.scoped, Effect.provide(connections)),
    180_000,
  )
})
