/** That the processes of these tests are what they say. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stub from "../StubUpstream.ts"
import * as World from "../World.ts"
import * as Fleet from "./Fleet.ts"
import * as LightClient from "./LightClient.ts"

describe("two proxies on one Redis", () => {
  it.live(
    "serve the same customer from one allowance, and one that is killed comes back on its port",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("fleet-alice", { used: 50 })
        const fleet = yield* Fleet.make({
          customers: [alice],
          behaviour: Stub.either({ prompt: 100, completion: 20 }),
        })
        const [first, second] = fleet.proxies
        assert.isDefined(first)
        assert.isDefined(second)
        const ask = (proxy: { readonly url: string }) =>
          Effect.promise(() => LightClient.ask(proxy.url, alice.token, World.chatBody({ stream: true })))
        const answers = [yield* ask(first), yield* ask(second)]
        assert.deepStrictEqual(
          answers.map((one) => [one.status, one.whole, one.text.endsWith("data: [DONE]\n\n")]),
          [
            [200, true, true],
            [200, true, true],
          ],
        )
        assert.deepInclude(yield* fleet.settled(alice), { used: 50 + 2 * 120, limit: 1_000_000 })
        yield* first.kill
        assert.isUndefined(first.pid())
        assert.strictEqual((yield* ask(first)).status, 0)
        yield* first.start
        assert.strictEqual((yield* ask(first)).status, 200)
        assert.strictEqual((yield* fleet.settled(alice)).used, 50 + 3 * 120)
        assert.strictEqual((yield* fleet.events).length, 3)
        assert.strictEqual(yield* second.metric("berth_proxy_requests_total"), 1)
        assert.strictEqual(yield* second.stop, 0)
      }),
    180_000,
  )
})
