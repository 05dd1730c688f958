/** Something to try when the api runs alone: a session with an order that can be paid and then provisioned. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Sessions } from "../../api/Sessions.ts"
import * as SampleOrder from "../../embedded/SampleOrder.ts"
import type { Place } from "../Place.ts"

/** The lines that say how, if nothing real is behind it. */
export const tryIt = Effect.fn("Sample.tryIt")(function* (
  { embedded, folder, local }: Place<"postgres" | "stripe">,
  internal: string,
) {
  if (embedded.postgres === undefined || embedded.stripe === undefined) return []
  const { accountId, token } = yield* (yield* Sessions).open
  const { orderId, url } = yield* SampleOrder.place(accountId)
  return [
    `curl -H 'authorization: Bearer ${Redacted.value(token)}' ${local}/api/orders/${orderId}`,
    `pay at ${url}, or: curl -X POST ${url}/pay`,
    `curl -X POST ${internal}/provision -H "authorization: Bearer $(cat ${folder}/keys/service.token)" \\`,
    `  -H 'content-type: application/json' -d '{"orderId":"${orderId}"}'`,
  ]
})
