/**
 * Something to try when billing runs alone: an order that can be paid, and an operator that only says it did its work.
 * Never part of a process that has a real operator.
 */
import { AgentEvents } from "@berth/domain/AgentEvents"
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { JobJson } from "@berth/domain/Jobs"
import { JobQueue } from "@berth/domain/JobQueue"
import { steps } from "@berth/domain/Lifecycle"
import * as Clock from "effect/Clock"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { Checkout } from "../billing/Checkout.ts"
import { Orders } from "../billing/Orders.ts"
import { AgentSecrets } from "../provision/AgentSecrets.ts"

/** An order of this account for a pro agent, and its payment page. */
export const place = Effect.fn("SampleOrder.place")(function* (accountId: CustomerId) {
  const orderId = OrderId.make(`ord_${accountId}`)
  yield* (yield* AgentSecrets).put(accountId, "botToken", Redacted.make("1:made-up"))
  yield* (yield* Orders).place({
    id: orderId,
    accountId,
    conversationId: null,
    tier: "pro",
    facts: {},
    email: "sample@example.com",
    telegramUserId: "1",
    botUsername: "sample_bot",
  })
  const { url } = yield* (yield* Checkout).open(accountId, orderId)
  return { orderId, url }
})

/** A customer for one. */
export const customer = Effect.gen(function* () {
  const sql = yield* SqlClient
  const random = yield* SecureRandom.SecureRandom
  const id = CustomerId.make(`sample-${(yield* random.uuidV4()).slice(0, 8)}`)
  const createdAt = yield* Clock.currentTimeMillis
  yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${id}, 'customer', ${createdAt})`
  return id
}).pipe(Effect.withSpan("SampleOrder.customer"))

/** Where the payment page leads when no pages are served. */
export const thanks = HttpRouter.add(
  "GET",
  "/checkout/*",
  HttpServerResponse.html('<p>Back from the payment page. Look at <a href="/dev/mail">the mailbox</a>.</p>'),
)

const pretend = Effect.gen(function* () {
  const queue = yield* JobQueue
  const events = yield* AgentEvents
  const taken = yield* queue.take
  if (Option.isNone(taken)) return
  const { customerId, generation, desired } = yield* Schema.decodeUnknownEffect(JobJson)(taken.value)
  let seq = 0
  const common = Effect.map(Clock.currentTimeMillis, (at) => ({ customerId, generation, seq: ++seq, at }))
  for (const step of desired.suspended.length > 0 ? [] : steps)
    yield* events.append({ _tag: "step", step, ...(yield* common) })
  const outcome = desired.deletion !== undefined ? "deleted" : desired.suspended.length > 0 ? "suspended" : "active"
  yield* events.append({ _tag: outcome, ...(yield* common) })
  yield* queue.acknowledge(taken.value)
})

/** Takes every job and reports it done. */
export const pretendOperator: Layer.Layer<never, never, JobQueue | AgentEvents> = Layer.effectDiscard(
  pretend.pipe(
    Effect.catchCause((cause) => Effect.logWarning("the pretended operator failed", cause)),
    Effect.forever,
    Effect.forkScoped,
  ),
)
