/** Something to try when billing runs alone: an order to pay, and an operator that only says it did its work. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SampleOrder from "../../embedded/SampleOrder.ts"
import type { Place } from "../Place.ts"

type Own = Place<"postgres" | "redis" | "stripe">

const isAlone = ({ embedded: { postgres, redis, stripe } }: Own) =>
  postgres !== undefined && redis !== undefined && stripe !== undefined

/** The lines that say how, if nothing real is behind it. */
export const tryIt = Effect.fn("Sample.tryIt")(function* (place: Own) {
  if (!isAlone(place)) return []
  const accountId = yield* SampleOrder.customer
  const { url } = yield* SampleOrder.place(accountId)
  return [`customer ${accountId}: pay at ${url}, or: curl -X POST ${url}/pay`, `then look at ${place.local}/dev/mail`]
})

export const operator = (place: Own) => (isAlone(place) ? SampleOrder.pretendOperator : Layer.empty)
export const pages = (place: Own) => (isAlone(place) ? SampleOrder.thanks : Layer.empty)
