/** Something to try when the api runs alone: a session with an order that can be paid and then provisioned. */
import { OrderId } from "@berth/domain/Ids"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Sessions } from "../../api/Sessions.ts"
import { Checkout } from "../../billing/Checkout.ts"
import { Orders } from "../../billing/Orders.ts"
import { AgentSecrets } from "../../provision/AgentSecrets.ts"
import type { Settings } from "./Ports.ts"

/** The lines that say how. */
const tryIt = Effect.fn("Sample.tryIt")(function* ({ folder, internalPort, local }: Settings) {
  const { accountId, token } = yield* (yield* Sessions).open
  yield* (yield* AgentSecrets).put(accountId, "botToken", Redacted.make("1:made-up"))
  const order = yield* (yield* Orders).place({
    id: OrderId.make(`order-${accountId}`),
    accountId,
    conversationId: null,
    tier: "pro",
    facts: {},
    email: "sample@example.com",
    telegramUserId: "1",
    botUsername: "sample_bot",
  })
  const { url } = yield* (yield* Checkout).open(accountId, order.id)
  return [
    `customer ${accountId}`,
    `  curl -H 'authorization: Bearer ${Redacted.value(token)}' ${local}/api/orders/${order.id}`,
    `  pay at ${url}, then`,
    `  curl -X POST http://127.0.0.1:${internalPort}/provision -H "authorization: Bearer $(cat ${folder}/keys/service.token)" \\`,
    `    -H 'content-type: application/json' -d '{"orderId":"${order.id}"}'`,
  ].join("\n")
})

/** Prints them, if nothing real is behind it. */
export const layer = (settings: Settings) => {
  const { postgres, stripe } = settings.embedded
  const isAlone = postgres !== undefined && stripe !== undefined
  return Layer.effectDiscard(isAlone ? Effect.flatMap(tryIt(settings), Console.log) : Effect.void)
}
