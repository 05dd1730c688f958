/**
 * Writes settled usage from the stream to the ledger, exactly once: entries, balances, alerts and the place in the stream are
 * one commit, and each entry's source id is unique besides. Safe when two run: the place is compared under its row's lock, and
 * who comes second writes nothing. What is committed, and only that, leaves the stream.
 */
import * as Limits from "@berth/domain/Allowance/Limit"
import type { CustomerId } from "@berth/domain/Ids"
import { type UsageEvent, sourceIdOf } from "@berth/domain/Usage"
import { endOf, type StreamPlace, UsageEvents } from "@berth/domain/UsageEvents"
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import * as Alerts from "./Alerts.ts"
import * as Balances from "./Balances.ts"

const batch = 500

const placeOf = Effect.fn("Recorder.placeOf")(function* (locked: boolean) {
  const sql = yield* SqlClient
  const rows = locked
    ? yield* sql<StreamPlace>`SELECT epoch, cursor FROM usage_cursor FOR UPDATE`
    : yield* sql<StreamPlace>`SELECT epoch, cursor FROM usage_cursor`
  return rows[0] ?? (yield* Effect.die("usage_cursor has no row"))
})

const blank = {
  model: null,
  prompt: null,
  cached: null,
  completion: null,
  reasoning: null,
  price_version: null,
  estimated: false,
  background: false,
  trace_id: null,
}

/**
 * The event as a row of the ledger, undefined if it moves no tokens. Tokens used are positive, as are tokens granted;
 * `kind` tells them apart.
 */
const entryOf = (event: UsageEvent): Record<string, unknown> | undefined => {
  const { customerId, period, at } = event
  const row = { ...blank, source_id: sourceIdOf(event), customer_id: customerId, period, at }
  switch (event._tag) {
    case "usage":
    case "correction": {
      const { model, usage, charge, priceVersion, estimated, background, traceId } = event
      return {
        ...row,
        ...usage,
        kind: event._tag,
        tokens: charge,
        model,
        price_version: priceVersion,
        estimated,
        background,
        trace_id: traceId,
      }
    }
    case "lost":
      return { ...row, kind: "lost", tokens: 0 }
    case "period":
      return { ...row, kind: "grant", tokens: event.plan }
    case "exhausted":
      return undefined
  }
}

/**
 * Those customers for whom an event may move more than `used`, which is a sum over the ledger anyway: a period that opens,
 * or a charge outside the running one. To read a whole balance costs more than to add to it, so nobody else's is read.
 */
const moved = (before: Alerts.Standings, events: ReadonlyArray<UsageEvent>): ReadonlySet<CustomerId> => {
  const moving = events.filter(
    ({ _tag, customerId, period }) =>
      _tag === "period" || ((_tag === "usage" || _tag === "correction") && period !== before.get(customerId)?.period),
  )
  return new Set(moving.map(({ customerId }) => customerId).filter((customerId) => before.has(customerId)))
}

/** Writes what is new of these events, which are in the order of the stream; those customers who have news of it. */
const write = Effect.fn("Recorder.write")(function* (events: ReadonlyArray<UsageEvent>) {
  const sql = yield* SqlClient
  const customers = [...new Set(events.map((event) => event.customerId))]
  const known = new Set<CustomerId>(yield* Balances.lock(customers))
  for (const customerId of customers)
    if (!known.has(customerId)) yield* Effect.logError("Usage of an unknown customer is dropped", { customerId })

  const before = yield* Alerts.standings([...known])
  const limits = new Map<CustomerId, Limits.Limit>()
  for (const customerId of moved(before, events)) {
    const limit = yield* Balances.load(customerId)
    if (limit !== undefined) limits.set(customerId, limit)
  }
  const entries = events.filter((event) => known.has(event.customerId)).map(entryOf)
  const rows = entries.filter((row) => row !== undefined)
  const written = Arr.isReadonlyArrayNonEmpty(rows)
    ? yield* sql<{ readonly id: string }>`
        INSERT INTO ledger_entries ${sql.insert(rows)} ON CONFLICT (source_id) DO NOTHING RETURNING source_id AS id`
    : []
  const fresh = new Set(written.map(({ id }) => id))

  for (const event of events) {
    // Twice in one batch counts once, as it does in the ledger.
    if (!fresh.delete(sourceIdOf(event))) continue
    const limit = limits.get(event.customerId)
    if (limit === undefined) continue
    if (event._tag === "period") yield* Balances.addPeriod(event.customerId, event)
    limits.set(event.customerId, Limits.fold(limit, event))
  }
  for (const [customerId, limit] of limits) yield* Balances.save(customerId, limit)
  return yield* Alerts.tell(
    before,
    events.filter((event) => event._tag === "exhausted"),
  )
})

/** Gathered before the transaction: the place, and what follows it in the stream. */
export const gather = Effect.gen(function* () {
  const stream = yield* UsageEvents
  const place = yield* placeOf(false)
  return { place, ...(yield* stream.after(place, batch)) }
}).pipe(Effect.withSpan("Recorder.gather"))

type Gathered = Effect.Success<typeof gather>

/** Commits what was gathered, unless another recorder did; the committed place. */
export const commit = Effect.fn("Recorder.commit")(function* (gathered: Gathered) {
  const sql = yield* SqlClient
  const customers = yield* CustomerEvents
  const { place, events } = gathered
  const reached = endOf(gathered)
  // With no event at all the place still moves to another life of the stream.
  if (reached.epoch === place.epoch && reached.cursor === place.cursor) return place
  const apply = Effect.gen(function* () {
    const current = yield* placeOf(true)
    if (current.epoch !== place.epoch || current.cursor !== place.cursor) return { current, told: [] }
    if (gathered.epoch === place.epoch && gathered.start !== place.cursor)
      yield* Effect.logError("Usage that this Postgres lacks has left the stream: was it restored from a backup?", {
        after: place.cursor,
        upTo: gathered.start,
      })
    const told = events.length === 0 ? [] : yield* write(events.map(({ event }) => event))
    yield* sql`UPDATE usage_cursor SET epoch = ${reached.epoch}, cursor = ${reached.cursor}`
    return { current: reached, told }
  })
  const { current, told } = yield* sql.withTransaction(apply)
  yield* Effect.forEach(told, customers.announce, { discard: true })
  return current
})

/** One batch; whether there may be more. Trims what earlier runs committed, so a crash before the trim leaves nothing behind. */
export const record = Effect.gen(function* () {
  const stream = yield* UsageEvents
  const gathered = yield* gather
  yield* stream.trim(yield* commit(gathered))
  return gathered.events.length > 0
}).pipe(Effect.withSpan("Recorder.record"))
