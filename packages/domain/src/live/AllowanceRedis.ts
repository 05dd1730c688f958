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
import { differencesBetween } from "../Allowance/Compare.ts"
import { callsCounted, missingFrom } from "../Allowance/Counted.ts"
import { sweepPatienceMillis, usageFacts } from "../Allowance/Holding.ts"
import { fromSnapshot, viewOf } from "../Allowance/Limit.ts"
import { type Admission, Allowance, type AllowanceSnapshot, type Ask, type Hold } from "../Allowance.ts"
import type { CustomerId } from "../Ids.ts"
import type { TierId } from "../Tiers.ts"
import { chargeOf, type UsageEvent } from "../Usage.ts"
import { endOf, type StreamPlace } from "../UsageEvents.ts"
import { fieldsOf, limitFrom, pairs, plainFields, tokensField } from "./AllowanceRedis/Fields.ts"
import * as Scripts from "./AllowanceRedis/Scripts.ts"
import { RedisClient, type Script } from "./RedisClient.ts"
import { decodeEntries, type Entry, read as readAfter } from "./UsageEventsRedis.ts"

/** What the scripts take as now: empty for Redis' own time. Only tests set another, to let months pass. */
export const ScriptTime = Context.Reference<Effect.Effect<number | "">>(
  "@berth/domain/live/AllowanceRedis/ScriptTime",
  {
    defaultValue: () => Effect.succeed("" as const),
  },
)

const pageSize = 1_000
const sweepBatch = 100

export const layer: Layer.Layer<Allowance, never, RedisClient> = Layer.effect(
  Allowance,
  Effect.gen(function* () {
    const redis = yield* RedisClient
    const time = yield* ScriptTime
    const backlogLimit = yield* BacklogLimit
    const run = (script: Script, args: ReadonlyArray<string | number>) =>
      Effect.flatMap(time, (now) => redis.script(script, [now, ...args]))

    /** The customer's events after a place, and where the stream then ends. */
    const unrecorded = Effect.fnUntraced(function* ({ customerId, recorded }: AllowanceSnapshot) {
      let place: StreamPlace = recorded
      const own: Array<UsageEvent> = []
      while (true) {
        const read = yield* readAfter(redis, place, pageSize, false)
        // It does not know the place (any more), so it has begun from the beginning.
        if (read.epoch !== place.epoch || read.start !== place.cursor) own.length = 0
        for (const { event } of read.events) if (event.customerId === customerId) own.push(event)
        place = endOf(read)
        if (read.events.length < pageSize) return { own, place }
      }
    })

    return Allowance.of({
      customerOf: Effect.fn("Allowance.customerOf")(function* (tokenHash) {
        const id = yield* redis.call("Allowance.customerOf", (one) => one.get(`token:${tokenHash}`))
        return Option.fromNullOr(id as CustomerId | null)
      }),
      admit: Effect.fn("Allowance.admit")(function* (ask) {
        const { customerId, tokenHash, prompt, completion, floor, model } = ask
        const asked = [customerId, tokenHash, callOf(ask), prompt, completion, floor]
        const args = [...asked, backlogLimit, model, flag(ask.background)]
        return admissionOf(ask, (yield* run(Scripts.admit, args)) as Reply)
      }),
      renew: Effect.fn("Allowance.renew")((holds: ReadonlyArray<Hold>) =>
        Effect.forEach(
          holds,
          (hold) => {
            const { customerId, period, ask, background } = hold
            return run(Scripts.renew, [customerId, callOf(hold), period, ask, flag(background)])
          },
          { concurrency: "unbounded", discard: true },
        ),
      ),
      settle: Effect.fn("Allowance.settle")(function* (settlement) {
        const { hold } = settlement
        const data = JSON.stringify(usageFacts(settlement))
        const charged = [chargeOf(settlement.usage), flag(hold.background)]
        const args = [hold.customerId, callOf(hold), hold.period, ...charged, data]
        return (yield* run(Scripts.settle, args)) as "settled" | "repeat" | "corrected"
      }),
      release: Effect.fn("Allowance.release")((hold: Hold) =>
        Effect.asVoid(run(Scripts.release, [hold.customerId, callOf(hold)])),
      ),
      sweep: Effect.gen(function* () {
        const since = yield* redis.readySince
        const now = Number((yield* Clock.monotonicTimeNanos) / 1_000_000n)
        if (since === undefined || now < since + sweepPatienceMillis) return 0
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
      rebuild: Effect.fn("Allowance.rebuild")(function* (snapshot, asked) {
        const { customerId, recorded, terms, rev } = snapshot
        const calls = callsCounted(snapshot)
        while (true) {
          const { own, place } = yield* unrecorded(snapshot)
          const { missing, unsure } = missingFrom(snapshot, own, asked)
          if (unsure.length > 0) return { unsure }
          const places = [recorded.epoch, recorded.cursor, place.epoch, place.cursor]
          const fields = pairs(fieldsOf(fromSnapshot(snapshot, missing)))
          const args = [customerId, ...places, rev, tokensField(terms), calls.length, ...calls, ...fields]
          const answer = yield* run(Scripts.rebuild, args)
          if (answer !== "again") return answer as "rebuilt" | "present" | "stale"
        }
      }),
      compare: Effect.fn("Allowance.compare")(function* (snapshot, asked) {
        const { customerId, recorded, rev } = snapshot
        const answer = (yield* run(Scripts.compare, [customerId, recorded.epoch, recorded.cursor])) as
          | readonly ["outdated" | "stale"]
          | readonly [string, ReadonlyArray<string>, readonly [number, number], ReadonlyArray<Entry>]
        if (answer.length === 1) return answer[0]
        const [now, entries, [held, heldBackground], later] = answer
        const found = limitFrom(hashOf(entries))
        if (found === undefined || found.rev < rev) return "outdated"
        if (found.rev > rev) return "stale"
        const own = (yield* decodeEntries(later)).map(({ event }) => event)
        const { missing, unsure } = missingFrom(snapshot, own, asked)
        if (unsure.length > 0) return { unsure }
        const expected = fromSnapshot(snapshot, missing)
        return { differences: differencesBetween(expected, found, { held, heldBackground }, Number(now)) }
      }),
      forget: Effect.fn("Allowance.forget")((customerId: CustomerId) =>
        Effect.asVoid(run(Scripts.forget, [customerId])),
      ),
      outdated: Effect.fn("Allowance.outdated")(function* (customers) {
        const pages = Arr.chunksOf(customers, pageSize)
        const args = (some: typeof customers) => some.flatMap(({ customerId, rev }) => [customerId, rev])
        return (yield* Effect.forEach(pages, (some) => run(Scripts.outdated, args(some)))).flat() as Array<CustomerId>
      }),
      pulse: Effect.gen(function* () {
        const [epoch, lag] = (yield* run(Scripts.pulse, [])) as [string, number]
        return { life: `${yield* redis.readySince}/${epoch}`, lag }
      }).pipe(Effect.withSpan("Allowance.pulse")),
      view: Effect.fn("Allowance.view")(function* (customerId) {
        const [now, entries] = (yield* run(Scripts.view, [customerId])) as [string, ReadonlyArray<string>]
        return Option.map(Option.fromUndefinedOr(limitFrom(hashOf(entries))), (limit) => viewOf(limit, Number(now)))
      }),
    })
  }),
)

/** HGETALL's answer within a script: each field followed by its value. */
const hashOf = (entries: ReadonlyArray<string>): Record<string, string> => {
  const hash: Record<string, string> = {}
  for (let index = 0; index < entries.length; index += 2) hash[entries[index] ?? ""] = entries[index + 1] ?? ""
  return hash
}

const callOf = ({ requestId, attempt }: Pick<Hold, "requestId" | "attempt">): string => `${requestId}:${attempt}`

const flag = (set: boolean): number => (set ? 1 : 0)

/** What the script `admit` answers. */
type Reply =
  | readonly ["Admitted", number, number, number, number, number, TierId, number]
  | readonly ["Exhausted", number, number, number]
  | readonly ["DailyCapped" | "BackgroundCapped" | "Busy", number, number]
  | readonly ["Lapsed", number]
  | readonly ["Stopped", "all" | "model" | "customer"]
  | readonly ["Revoked" | "Paused" | "Blocked" | "Absent" | "Backlogged" | "Ended"]

const admissionOf = ({ customerId, requestId, attempt, prompt }: Ask, reply: Reply): Admission => {
  switch (reply[0]) {
    case "Admitted": {
      const [_tag, period, ask, remaining, limit, periodEnd, tier, background] = reply
      const hold = { customerId, requestId, attempt, period, ask, background: background === 1 }
      return { _tag, hold, completion: ask - prompt, remaining, limit, periodEnd, tier }
    }
    case "Exhausted":
      return { _tag: reply[0], used: reply[1], limit: reply[2], periodEnd: reply[3] }
    case "DailyCapped":
      return { _tag: reply[0], cap: reply[1], resetsAt: reply[2] }
    case "BackgroundCapped":
      return { _tag: reply[0], cap: reply[1], periodEnd: reply[2] }
    case "Stopped":
      return { _tag: reply[0], what: reply[1] }
    case "Busy":
      return { _tag: reply[0], limit: reply[1], periodEnd: reply[2] }
    case "Lapsed":
      return { _tag: reply[0], serviceUntil: reply[1] }
    default:
      return { _tag: reply[0] }
  }
}
