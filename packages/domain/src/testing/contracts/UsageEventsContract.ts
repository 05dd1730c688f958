/** What every `UsageEvents` promises its recorder. The events come from an `Allowance` on the same store. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Allowance } from "../../Allowance.ts"
import { endOf, UsageEvents } from "../../UsageEvents.ts"
import { type Backend, testsOn } from "./AllowanceContract.ts"
import { holdOf, settlement } from "./AllowanceFixtures.ts"

const beginning = { epoch: "", cursor: "0-0" }

const settleAll = Effect.fnUntraced(function* (...requests: ReadonlyArray<string>) {
  const allowance = yield* Allowance
  for (const request of requests) yield* allowance.settle(settlement(holdOf(request), 1))
})

const requestsAfter = Effect.fnUntraced(function* (place: { epoch: string; cursor: string }, max = 100) {
  const stream = yield* UsageEvents
  const read = yield* stream.after(place, max)
  const requests = read.events.map(({ event }) => ("requestId" in event ? event.requestId : event._tag))
  return { place: endOf(read), requests }
})

export const usageEventsContract = (name: string, layer: Backend) =>
  describe(`UsageEvents on ${name}`, () => {
    const test = testsOn(layer)

    test(
      "has neither an epoch nor events before the first one",
      "nothing",
      Effect.gen(function* () {
        const stream = yield* UsageEvents
        assert.deepStrictEqual(yield* stream.after(beginning, 10), { epoch: "", start: "0-0", events: [] })
        assert.strictEqual(yield* stream.length, 0)
      }),
    )

    test(
      "gives every event in order, page by page, none twice",
      "nothing",
      Effect.gen(function* () {
        yield* settleAll("a", "b", "c")
        const first = yield* requestsAfter(beginning, 2)
        assert.deepStrictEqual(first.requests, ["a", "b"])
        yield* settleAll("d")
        const second = yield* requestsAfter(first.place, 2)
        assert.deepStrictEqual(second.requests, ["c", "d"])
        assert.strictEqual(second.place.epoch, first.place.epoch)
        assert.deepStrictEqual((yield* requestsAfter(second.place)).requests, [])
      }),
    )

    test(
      "reads from the beginning for a place of another epoch",
      "nothing",
      Effect.gen(function* () {
        yield* settleAll("a", "b")
        const other = { epoch: "another life", cursor: "99999999999999-0" }
        const first = yield* requestsAfter(other, 1)
        assert.deepStrictEqual(first.requests, ["a"])
        assert.notStrictEqual(first.place.epoch, other.epoch)
        // A second recorder with that place, and the first one going on, find the same life of the stream.
        assert.deepStrictEqual(yield* requestsAfter(other, 1), first)
        assert.deepStrictEqual((yield* requestsAfter(first.place)).requests, ["b"])
      }),
    )

    test(
      "drops what is committed up to a place of its own epoch, and nothing else",
      "nothing",
      Effect.gen(function* () {
        const stream = yield* UsageEvents
        yield* settleAll("a", "b", "c")
        const { place } = yield* requestsAfter(beginning, 2)
        yield* stream.trim({ ...place, epoch: "another life" })
        yield* stream.trim(beginning)
        assert.strictEqual(yield* stream.length, 3)
        yield* stream.trim(place)
        yield* stream.trim(place)
        assert.strictEqual(yield* stream.length, 1)
        const rest = yield* requestsAfter(place)
        assert.deepStrictEqual(rest.requests, ["c"])
        yield* stream.trim(rest.place)
        yield* settleAll("d")
        const later = yield* requestsAfter(rest.place)
        assert.deepStrictEqual(later.requests, ["d"])
        assert.strictEqual(later.place.epoch, place.epoch)
        // A place of before, as of a Postgres that was restored, goes on from where the stream now begins.
        const before = { ...place, cursor: "0-0" }
        assert.strictEqual((yield* stream.after(before, 10)).start, rest.place.cursor)
        assert.deepStrictEqual((yield* requestsAfter(before)).requests, ["d"])
      }),
    )
  })
