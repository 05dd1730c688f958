/** A stream of usage of its own, beside the store's: what a test says that Redis holds. */
import { type CustomerId, RequestId } from "@berth/domain/Ids"
import type { UsageEvent } from "@berth/domain/Usage"
import { UsageEvents } from "@berth/domain/UsageEvents"
import * as Effect from "effect/Effect"
import { november } from "./World.ts"

/** One settled call; its request is named after the customer, so that it is unique among all tests. */
export const usage = (customerId: CustomerId, request: string, charge: number, period = 0) => ({
  _tag: "usage" as const,
  customerId,
  at: november,
  period,
  requestId: RequestId.make(`${customerId}-${request}`),
  attempt: 1,
  model: "kimi-k2.6",
  usage: { prompt: charge, cached: 0, completion: 0, reasoning: 0 },
  charge,
  background: false,
  estimated: false,
  priceVersion: "2026-11",
  traceId: "",
})

export const streamOf = (epoch: string, events: ReadonlyArray<UsageEvent>) => {
  let kept = events.map((event, index) => ({ cursor: `${index + 1}-0`, event }))
  const startOf = (place: { epoch: string; cursor: string }) => (place.epoch === epoch ? place.cursor : "0-0")
  const from = (place: { epoch: string; cursor: string }) =>
    kept.filter(({ cursor }) => Number.parseInt(cursor, 10) > Number.parseInt(startOf(place), 10))
  return UsageEvents.of({
    after: (place, max) => Effect.sync(() => ({ epoch, start: startOf(place), events: from(place).slice(0, max) })),
    trim: (place) =>
      Effect.sync(() => {
        if (place.epoch === epoch) kept = from(place)
      }),
    length: Effect.sync(() => kept.length),
  })
}
