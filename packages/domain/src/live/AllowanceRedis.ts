/**
 * Allowances in Redis, by scripts that decide what the pure rules decide (one contract suite and one model test both).
 * On an unreachable Redis every method fails: nothing is free.
 */
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { BacklogLimit } from "../Allowance/Backlog.ts"
import { sweepPatienceMillis, usageFacts } from "../Allowance/Holding.ts"
import { fromSnapshot, viewOf } from "../Allowance/Limit.ts"
import { type Admission, Allowance, type AllowanceSnapshot, type Ask, type Hold } from "../Allowance.ts"
import type { CustomerId } from "../Ids.ts"
import type { TierId } from "../Tiers.ts"
import { chargeOf, type UsageEvent } from "../Usage.ts"
import { fieldsOf, limitFrom, pairs, plainFields, tokensField } from "./AllowanceRedis/Fields.ts"
import * as Scripts from "./AllowanceRedis/Scripts.ts"
import { RedisClient, type Script } from "./RedisClient.ts"
import { read } from "./UsageEventsRedis.ts"

/** What the scripts take as now: empty for Redis' own time. Only tests set another, to let months pass. */
export const ScriptTime = Context.Reference<Effect.Effect<number | "">>(
  "@berth/domain/live/AllowanceRedis/ScriptTime",
  {
    defaultValue: () => Effect.succeed("" as const),
  },
)

const page = 1_000
const sweepBatch = 100

export const layer: Layer.Layer<Allowance, never, RedisClient> = Layer.effect(
  Allowance,
  Effect.gen(function* () {
    const redis = yield* RedisClient
    const time = yield* ScriptTime
    const backlogLimit = yield* BacklogLimit
    const run = (script: Script, args: ReadonlyArray<string | number>) =>
      Effect.flatMap(time, (now) => redis.script(script, [now, ...args]))

    /** The customer's events after a place, and where the stream then ends. A new epoch begins again. */
    const unrecorded = Effect.fnUntraced(function* (snapshot: AllowanceSnapshot) {
      let place = snapshot.recorded
      const own: Array<UsageEvent> = []
      while (true) {
        const { epoch, events } = yield* read(redis, place, page)
        if (epoch !== place.epoch) own.length = 0
        for (const { event } of events) if (event.customerId === snapshot.customerId) own.push(event)
        place = { epoch, cursor: events.at(-1)?.cursor ?? (epoch === place.epoch ? place.cursor : "0-0") }
        if (events.length < page) return { own, place }
      }
    })

    return Allowance.of({
      customerOf: Effect.fn("Allowance.customerOf")(function* (tokenHash) {
        const id = yield* redis.call("Allowance.customerOf", (one) => one.get(`token:${tokenHash}`))
        return Option.fromNullOr(id as CustomerId | null)
      }),
      admit: Effect.fn("Allowance.admit")(function* (ask) {
        const { customerId, tokenHash, prompt, completion, floor } = ask
        const args = [customerId, tokenHash, callOf(ask), prompt, completion, floor, backlogLimit]
        return admissionOf(ask, (yield* run(Scripts.admit, args)) as Reply)
      }),
      renew: Effect.fn("Allowance.renew")((holds: ReadonlyArray<Hold>) =>
        Effect.forEach(holds, (hold) => run(Scripts.renew, [hold.customerId, callOf(hold), hold.period, hold.ask]), {
          concurrency: "unbounded",
          discard: true,
        }),
      ),
      settle: Effect.fn("Allowance.settle")(function* (settlement) {
        const { hold } = settlement
        const data = JSON.stringify(usageFacts(settlement))
        const args = [hold.customerId, callOf(hold), hold.period, chargeOf(settlement.usage), data]
        return (yield* run(Scripts.settle, args)) as "settled" | "repeat" | "corrected"
      }),
      release: Effect.fn("Allowance.release")((hold: Hold) =>
        Effect.asVoid(run(Scripts.release, [hold.customerId, callOf(hold)])),
      ),
      sweep: Effect.gen(function* () {
        const since = yield* redis.readySince
        if (since === undefined || (yield* Clock.currentTimeMillis) < since + sweepPatienceMillis) return 0
        let swept = 0
        while (true) {
          const count = (yield* run(Scripts.sweep, [sweepBatch])) as number
          swept += count
          if (count < sweepBatch) return swept
        }
      }).pipe(Effect.withSpan("Allowance.sweep")),
      apply: Effect.fn("Allowance.apply")(function* ({ customerId, rev, period, packsDelta, terms }) {
        const { plan, nextPlan, anchor } = terms
        const args = [customerId, rev, period, packsDelta, plan, nextPlan, anchor, tokensField(terms)]
        return (yield* run(Scripts.apply, [...args, ...pairs(plainFields(terms))])) as
          | "applied"
          | "skipped"
          | "gap"
          | "absent"
      }),
      rebuild: Effect.fn("Allowance.rebuild")(function* (snapshot) {
        const { customerId, recorded, terms } = snapshot
        while (true) {
          const { own, place } = yield* unrecorded(snapshot)
          const places = [recorded.epoch, recorded.cursor, place.epoch, place.cursor]
          const fields = pairs(fieldsOf(fromSnapshot(snapshot, own)))
          const answer = yield* run(Scripts.rebuild, [customerId, ...places, tokensField(terms), ...fields])
          if (answer !== "again") return answer as "rebuilt" | "present" | "stale"
        }
      }),
      forget: Effect.fn("Allowance.forget")((customerId: CustomerId) =>
        Effect.asVoid(run(Scripts.forget, [customerId])),
      ),
      absent: Effect.fn("Allowance.absent")(function* (customers) {
        const pages = Arr.chunksOf(customers, page)
        return (yield* Effect.forEach(pages, (some) => run(Scripts.absent, some))).flat() as Array<CustomerId>
      }),
      view: Effect.fn("Allowance.view")(function* (customerId) {
        const [now, entries] = (yield* run(Scripts.view, [customerId])) as [string, ReadonlyArray<string>]
        const hash: Record<string, string> = {}
        for (let index = 0; index < entries.length; index += 2) hash[entries[index] ?? ""] = entries[index + 1] ?? ""
        return Option.map(Option.fromUndefinedOr(limitFrom(hash)), (limit) => viewOf(limit, Number(now)))
      }),
    })
  }),
)

const callOf = ({ requestId, attempt }: Pick<Hold, "requestId" | "attempt">): string => `${requestId}:${attempt}`

/** What the script `admit` answers. */
type Reply =
  | readonly ["Admitted", number, number, number, number, number, TierId]
  | readonly ["Exhausted", number, number, number]
  | readonly ["Busy", number, number]
  | readonly ["Lapsed", number]
  | readonly ["Revoked" | "Paused" | "Blocked" | "Absent" | "Backlogged"]

const admissionOf = ({ customerId, requestId, attempt, prompt }: Ask, reply: Reply): Admission => {
  switch (reply[0]) {
    case "Admitted": {
      const [_tag, period, ask, remaining, limit, periodEnd, tier] = reply
      const hold = { customerId, requestId, attempt, period, ask }
      return { _tag, hold, completion: ask - prompt, remaining, limit, periodEnd, tier }
    }
    case "Exhausted":
      return { _tag: reply[0], used: reply[1], limit: reply[2], periodEnd: reply[3] }
    case "Busy":
      return { _tag: reply[0], limit: reply[1], periodEnd: reply[2] }
    case "Lapsed":
      return { _tag: reply[0], serviceUntil: reply[1] }
    default:
      return { _tag: reply[0] }
  }
}
