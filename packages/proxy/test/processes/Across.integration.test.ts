/** Two proxies that never speak to each other, on one Redis: what happens on one is heard of on the other. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { answersOf, begin, body, many, until } from "./GatedFleet.ts"
import * as LightClient from "./LightClient.ts"

describe("across two proxies", () => {
  it.live(
    "one that waits on one proxy is served when a hold on the other is settled",
    () =>
      Effect.gen(function* () {
        const { fleet, gate, urls, customerFor } = yield* begin("edge-across", 4)
        const alice = yield* customerFor(1)
        const holder = LightClient.send(urls[0] ?? "", alice.token, body(many))
        yield* until("the holder is open", 20, () => gate.open === 1)
        const waiter = LightClient.send(urls[1] ?? "", alice.token, body(many))
        yield* Effect.sleep(1_000)
        assert.strictEqual(gate.open, 1)
        gate.release()
        const [held, waited] = yield* answersOf([holder, waiter])
        assert.deepStrictEqual([held?.status, waited?.status], [200, 200])
        assert.strictEqual((yield* fleet.settled(alice)).used, gate.used)
      }),
    180_000,
  )
})
