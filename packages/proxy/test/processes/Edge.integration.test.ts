/**
 * Many streams at once at the edge of a limit, on two proxies that share nothing but a Redis. The upstream keeps its streams
 * open until the test lets them end, so they truly overlap, and keeps an account of its own.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { greedy, modest } from "./Gate.ts"
import { answersOf, begin, body, few, many, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"
import { watch } from "./Watch.ts"

const suite = (streams: number, completion: (granted: number) => number, kind: string) =>
  it.live(
    `${streams} streams are open at once, none beyond the limit, and nobody is told wrong: a ${kind} upstream`,
    () =>
      Effect.gen(function* () {
        const { fleet, gate, urls, prompt, customerFor, sendAll } = yield* begin(`edge-${streams}-${kind}`, streams)
        const inVain = Math.ceil(streams / 8)
        const alice = yield* customerFor(streams)
        const { plan } = alice.snapshot.terms
        gate.plan({ completion })
        const watched = yield* watch(fleet, alice)

        // While nothing ends: as many as fit are open, the rest waits in vain and is told so, never that the month is over.
        const wave = yield* sendAll(alice.token, streams + inVain)
        const refused: Array<LightClient.Answer> = []
        for (const one of wave) void one.ended.then((answer) => answer.status !== 200 && refused.push(answer))
        yield* until("all that fit are open", 40, () => gate.open === streams)
        yield* until("all others are refused", 40, () => refused.length === inVain)
        for (const { status, code, headers } of refused)
          assert.deepStrictEqual([status, code, headers["retry-after"]], [429, "rate_limit_exceeded", "2"])
        assert.deepInclude(yield* Effect.promise(() => fleet.held(alice)), {
          used: 0,
          sum: streams * (prompt + many),
          open: streams,
        })

        // One that fits beside them passes by those that wait, on either proxy.
        const waiting = yield* sendAll(alice.token, 4)
        yield* Effect.sleep(200)
        const small = LightClient.send(urls[1] ?? "", alice.token, body(few))
        const first = yield* Effect.promise(() =>
          Promise.race([
            small.started.then((status) => `small ${status}`),
            ...waiting.map((one) => one.started.then((status) => `waiting ${status}`)),
          ]),
        )
        assert.strictEqual(first, "small 200")
        assert.strictEqual(gate.open, streams + 1)

        // When the open ones end, those that wait are served if the allowance still carries them.
        gate.release(50)
        const served = [...(yield* answersOf(wave)), ...(yield* answersOf([small]))].filter((one) => one.status === 200)
        assert.lengthOf(served, streams + 1)
        for (const { whole, text } of served) assert.isTrue(whole && text.endsWith("data: [DONE]\n\n"))
        /** That the month was over must be so by the upstream's own account of that moment. */
        let early = 0
        const checked = ({ ended }: LightClient.Sent) =>
          ended.then((answer) => {
            if (answer.code === "usage_limit_reached" && gate.used + prompt + many <= plan) early++
            return answer
          })
        const later = yield* Effect.promise(() => Promise.all(waiting.map(checked)))
        const more = yield* sendAll(alice.token, Math.ceil(streams / 4))
        later.push(...(yield* Effect.promise(() => Promise.all(more.map(checked)))))
        for (const { status, code } of later)
          if (status !== 200) assert.include(["rate_limit_exceeded", "usage_limit_reached"], code)
        assert.strictEqual(early, 0)

        const end = yield* fleet.settled(alice)
        assert.strictEqual(end.used, gate.used)
        assert.isAtMost(end.used, plan)
        const monthly = later.filter((one) => one.code === "usage_limit_reached")
        if (kind === "greedy") {
          // It used up all but what a last prompt's bound keeps free, so the month is over, and only then.
          assert.isAbove(monthly.length, 0)
          const last = yield* Effect.promise(() => LightClient.ask(urls[0] ?? "", alice.token, body(many)))
          assert.strictEqual(last.code, end.used + prompt + many > plan ? "usage_limit_reached" : undefined)
        } else {
          assert.lengthOf(monthly, 0)
          const last = yield* Effect.promise(() => LightClient.ask(urls[0] ?? "", alice.token, body(many)))
          assert.strictEqual(last.status, 200)
        }
        assert.deepInclude(watched, { beyond: 0, unequal: 0 })
        assert.isAbove(watched.looks, 20)
        assert.isAbove(watched.mostHeld, 0)
        assert.strictEqual(gate.beyond, 0)
        assert.isAtLeast(gate.most, streams + 1)
        yield* fleet.settled(alice)
      }),
    180_000,
  )

describe("at the edge of a limit, on two proxies", () => {
  for (const streams of [32, 200, 2_000]) suite(streams, modest, "modest")
  for (const streams of [32, 200, 2_000]) suite(streams, greedy, "greedy")

  it.live(
    "only prompts that are longer than their bound carry what is used past the limit, and by no more than that",
    () =>
      Effect.gen(function* () {
        const { fleet, gate, prompt, customerFor, sendAll } = yield* begin("edge-excess", 40)
        const excess = 50
        const alice = yield* customerFor(20)
        const { plan } = alice.snapshot.terms
        gate.plan({ prompt: prompt + excess, completion: greedy })
        const watched = yield* watch(fleet, alice)
        const wave = yield* sendAll(alice.token, 20)
        yield* until("all are open", 20, () => gate.open === 20)
        assert.strictEqual((yield* Effect.promise(() => fleet.held(alice))).open, 20)
        gate.release(20)
        yield* answersOf(wave)
        const { used } = yield* fleet.settled(alice)
        assert.strictEqual(used, 20 * (prompt + excess + many))
        assert.isAbove(used, plan)
        assert.isAtMost(used, plan + 20 * excess)
        const after = yield* answersOf(yield* sendAll(alice.token, 4, few))
        for (const { code } of after) assert.strictEqual(code, "usage_limit_reached")
        assert.strictEqual(watched.unequal, 0)
      }),
  )
})
