/**
 * Random histories of one customer over several periods, each step compared with the naive model: admissions, endings,
 * sweeps, changes, switches, days and months that pass, and a store that is lost and rebuilt from what Postgres had
 * recorded. Background turns and others mix, under caps that change.
 */
import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { remembered } from "../../Allowance/Limit.ts"
import { Allowance, type AllowanceSnapshot } from "../../Allowance.ts"
import { Switches, type SwitchName } from "../../Switches.ts"
import { TierId } from "../../Tiers.ts"
import { sourceIdOf, type UsageEvent } from "../../Usage.ts"
import { type StreamPlace, UsageEvents } from "../../UsageEvents.ts"
import { ask, customer, day, settlement, terms } from "./AllowanceFixtures.ts"
import * as Model from "./AllowanceModel.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const slot = between(0, 3)
/** Which call of a slot: its latest, or the one before, to come late or twice. */
const call = { slot, late: Schema.Boolean }
const admit = Schema.TaggedStruct("admit", {
  slot,
  prompt: between(0, 80),
  completion: between(0, 600),
  floor: between(0, 50),
  background: Schema.Boolean,
  /** Asks again for the latest call of the slot, though it has ended. */
  again: Schema.Boolean,
})
const switches: ReadonlyArray<SwitchName> = ["all", "model:kimi-k2.6", `customer:${customer}`, "model:other"]

const Step = Schema.Union([
  // The most common steps stand here twice.
  admit,
  Schema.TaggedStruct("admit", { ...admit.fields, prompt: between(0, 10) }),
  Schema.TaggedStruct("settle", { ...call, tokens: between(0, 700) }),
  Schema.TaggedStruct("settle", { ...call, tokens: between(0, 70) }),
  Schema.TaggedStruct("release", call),
  Schema.TaggedStruct("renew", call),
  Schema.TaggedStruct("sweep", {}),
  Schema.TaggedStruct("wait", { seconds: between(1, 100) }),
  Schema.TaggedStruct("leap", { days: between(1, 40) }),
  Schema.TaggedStruct("change", {
    tier: TierId,
    plan: between(0, 1_500),
    nextPlan: between(0, 1_500),
    packs: between(-400, 600),
    paused: between(0, 5),
    serviceDays: between(0, 200),
    /** No daily cap above 800. */
    dailyCap: between(0, 2_400),
    backgroundCap: between(0, 1_000),
  }),
  Schema.TaggedStruct("switch", { which: between(0, 3), stop: between(0, 7) }),
  Schema.TaggedStruct("record", {}),
  Schema.TaggedStruct("lose", {}),
])
export const Steps = Schema.Array(Step).check(Schema.isMinLength(20), Schema.isMaxLength(80))

const anchor = Date.UTC(2025, 11, 31, 8)
const start = Model.endOf(0) - 2 * day

const told = (event: UsageEvent): string => {
  switch (event._tag) {
    case "period":
      return `period ${event.period} until ${event.endsAt} with ${event.plan}`
    case "lost":
      return `lost ${event.requestId}:${event.attempt} ${event.ask}`
    case "exhausted":
      return `exhausted ${event.period} at ${event.limit}`
    default:
      return `${event._tag === "usage" ? "settled" : "corrected"} ${event.requestId}:${event.attempt} ${event.charge}`
  }
}

/** One sweep tells its losses in any order. */
const inOrder = (lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const sorted: Array<string> = []
  let lost: Array<string> = []
  for (const line of [...lines, ""]) {
    if (line.startsWith("lost")) lost.push(line)
    else {
      sorted.push(...lost.sort(), line)
      lost = []
    }
  }
  return sorted
}

/** Plays a history on the store at hand, which is empty, and fails at the first difference. */
export const play = Effect.fn(function* (steps: typeof Steps.Type) {
  const allowance = yield* Allowance
  const stream = yield* UsageEvents
  const stops = yield* Switches
  yield* TestClock.setTime(start)
  const given = terms({ anchor, serviceUntil: start + 120 * day })
  const model = Model.initial(start, given, 200)
  const attempts = new Map<number, number>()
  const heard: Array<string> = []
  const exhausted = new Set<string>()
  let place: StreamPlace = { epoch: "", cursor: "0-0" }
  let recorded: AllowanceSnapshot | undefined

  const listen = Effect.gen(function* () {
    const { epoch, events } = yield* stream.after(place, 1_000)
    for (const { event } of events) {
      // A store that was rebuilt may tell it again; whoever records it knows it by its source.
      if (event._tag === "exhausted" && exhausted.has(sourceIdOf(event))) continue
      if (event._tag === "exhausted") exhausted.add(sourceIdOf(event))
      heard.push(told(event))
    }
    place = { epoch, cursor: events.at(-1)?.cursor ?? place.cursor }
  })
  const record = Effect.gen(function* () {
    yield* listen
    const { rev, period, packs } = model
    const older = Array.from({ length: period }, (_, number) => ({
      period: number,
      used: model.used[number] ?? 0,
      plan: model.plans[number] ?? 0,
    }))
    const day = Math.max(0, ...Object.keys(model.days).map(Number))
    recorded = {
      customerId: customer,
      rev,
      terms: model.terms,
      period,
      periodEnd: Model.endOf(period),
      packs,
      used: model.used[period] ?? 0,
      background: model.background[period] ?? 0,
      today: { day, used: model.days[day] ?? 0 },
      older: older.slice(-3),
      recorded: place,
    }
    yield* stream.trim(place)
    return recorded
  })
  const named = (number: number, late: boolean): Model.Call | undefined => {
    const found = model.calls[`r${number}:${(attempts.get(number) ?? 1) - (late ? 1 : 0)}`]
    // What ended a day ago is forgotten, and its calls with it.
    return found !== undefined && (found.end === undefined || model.now < found.endedAt + day) ? found : undefined
  }

  yield* allowance.rebuild(yield* record)
  yield* TestClock.adjust("30 seconds")
  for (const step of steps) {
    model.now = yield* Clock.currentTimeMillis
    switch (step._tag) {
      case "admit": {
        const last = model.calls[`r${step.slot}:${attempts.get(step.slot) ?? 1}`]
        const again = step.again && last !== undefined && model.now < last.endedAt + day
        if (last !== undefined && !last.open && !again) attempts.set(step.slot, last.hold.attempt + 1)
        const attempt = attempts.get(step.slot) ?? 1
        attempts.set(step.slot, attempt)
        const { prompt, completion, floor, background } = step
        const asked = ask(`r${step.slot}`, { attempt, prompt, completion, floor, background })
        const admission = yield* allowance.admit(asked)
        const repeated = last?.open === true
        assert.deepStrictEqual(admission, Model.admit(model, asked))
        if (admission._tag === "Admitted" && !repeated) assert.isAtLeast(admission.remaining, 0)
        break
      }
      case "settle": {
        const found = named(step.slot, step.late)
        // No call outlives so many months.
        if (found === undefined || found.hold.period < model.period - remembered) break
        const result = yield* allowance.settle(settlement(found.hold, step.tokens))
        assert.strictEqual(result, Model.settle(model, found, step.tokens))
        break
      }
      case "release": {
        const found = named(step.slot, step.late)
        if (found === undefined) break
        yield* allowance.release(found.hold)
        Model.release(model, found)
        break
      }
      case "renew": {
        const found = named(step.slot, step.late)
        if (found === undefined) break
        yield* allowance.renew([found.hold])
        Model.renew(model, found)
        break
      }
      case "sweep": {
        assert.strictEqual(yield* allowance.sweep, Model.sweep(model))
        break
      }
      case "wait": {
        yield* TestClock.adjust(step.seconds * 1_000)
        break
      }
      case "leap": {
        // A day on, the store would not know any more that a hold put back had been lost before, and tell it again.
        if (Object.values(model.calls).some(({ open, end }) => open && end !== undefined)) break
        yield* TestClock.adjust(step.days * day)
        break
      }
      case "change": {
        const next = terms({
          anchor,
          tier: step.tier,
          plan: step.plan,
          nextPlan: step.nextPlan,
          paused: step.paused === 0,
          serviceUntil: model.now + step.serviceDays * day,
          dailyCap: step.dailyCap > 800 ? null : step.dailyCap,
          backgroundCap: step.backgroundCap,
        })
        const opensNext = model.now >= Model.endOf(model.period)
        const period = model.period + (opensNext ? 1 : 0)
        const changed = { customerId: customer, rev: model.rev + 1, period, terms: next, packsDelta: step.packs }
        assert.strictEqual(yield* allowance.apply(changed), "applied")
        assert.strictEqual(yield* allowance.apply(changed), "skipped")
        Model.change(model, next, step.packs, opensNext)
        break
      }
      case "switch": {
        const name = switches[step.which] ?? "all"
        if (step.stop === 0) {
          yield* stops.stop(name, "a test")
          model.stopped.add(name)
        } else {
          yield* stops.resume(name)
          model.stopped.delete(name)
        }
        break
      }
      case "record": {
        yield* record
        break
      }
      case "lose": {
        yield* allowance.forget(customer)
        // Postgres knows every change, and of the usage what was recorded.
        const known = recorded?.rev === model.rev ? recorded : yield* record
        assert.strictEqual(yield* allowance.rebuild(known), "rebuilt")
        break
      }
    }
    model.now = yield* Clock.currentTimeMillis
    assert.deepStrictEqual(Option.getOrThrow(yield* allowance.view(customer)), Model.view(model))
    // Whoever compares it with what is recorded, and the stream since, finds nothing wrong.
    if (recorded?.rev !== model.rev) continue
    const { events } = yield* stream.after(recorded.recorded, 1_000)
    const asked = events.map(({ event }) => sourceIdOf(event))
    assert.deepStrictEqual(yield* allowance.compare(recorded, asked), { differences: [] })
  }
  yield* listen
  assert.deepStrictEqual(inOrder(heard), inOrder(model.told))
  // A rebuild counts the open holds anew: what was counted in passing is their sum.
  yield* allowance.forget(customer)
  assert.strictEqual(yield* allowance.rebuild(yield* record), "rebuilt")
  assert.deepStrictEqual(Option.getOrThrow(yield* allowance.view(customer)), Model.view(model))
})
