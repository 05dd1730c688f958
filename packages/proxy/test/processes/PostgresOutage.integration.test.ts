/** While Postgres is away those whose allowance stands in Redis go on; others are refused, and served when it is back. */
import type { Link } from "@berth/domain/testing/Toxiproxy"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stub from "../StubUpstream.ts"
import * as World from "../World.ts"
import * as LightClient from "./LightClient.ts"
import * as ToxicFleet from "./ToxicFleet.ts"

ToxicFleet.prepare()

const ways: Readonly<Record<string, (postgres: Link) => Effect.Effect<Effect.Effect<void>>>> = {
  "refuses connections": (postgres) => Effect.as(postgres.down, postgres.up),
  "is silent": (postgres) => postgres.add({ stream: "upstream", type: "timeout", attributes: { timeout: 0 } }),
  "takes all and answers nothing": (postgres) =>
    postgres.add({ stream: "downstream", type: "timeout", attributes: { timeout: 0 } }),
  "resets connections": (postgres) =>
    postgres.add({ stream: "downstream", type: "reset_peer", attributes: { timeout: 0 } }),
  "breaks off in the midst of answers": (postgres) =>
    postgres.add({ stream: "downstream", type: "limit_data", attributes: { bytes: 100 } }),
}

describe("while Postgres", () => {
  it.live(
    "is away in any way, a customer whom Redis knows is served, one whom it does not is refused, and served when it is back",
    () =>
      Effect.gen(function* () {
        const known = World.customer("postgres-known")
        const strangers = Object.keys(ways).map((_, index) => World.customer(`postgres-stranger-${index}`))
        const fleet = yield* ToxicFleet.make({
          customers: [known, ...strangers],
          behaviour: Stub.either({ prompt: 30, completion: 5 }),
        })
        const [first = "", second = ""] = fleet.proxies.map((one) => one.url)
        const ask = (url: string, customer: World.Customer) =>
          Effect.promise(() => LightClient.ask(url, customer.token, World.chatBody({ stream: true })))
        assert.strictEqual((yield* ask(first, known)).status, 200)
        let served = 1
        for (const [index, [way, hurt]] of Object.entries(ways).entries()) {
          const stranger = strangers[index]
          assert.isDefined(stranger)
          const back = yield* Effect.forEach(fleet.links, ({ postgres }) => hurt(postgres))
          const called = fleet.stub.received.length
          const refused = yield* Effect.all([ask(first, stranger), ask(second, stranger), ask(first, stranger)], {
            concurrency: "unbounded",
          })
          for (const { status, code, headers, millis } of refused) {
            assert.deepStrictEqual([status, code, headers["retry-after"]], [503, "store_unavailable", "2"], way)
            assert.isBelow(millis, 10_000, way)
          }
          assert.strictEqual(fleet.stub.received.length, called, way)
          // On the second proxy too, which at first has never seen this customer.
          for (const url of [first, second, first]) assert.strictEqual((yield* ask(url, known)).status, 200, way)
          served += 3
          for (const proxy of fleet.proxies) assert.isTrue(yield* proxy.isReady, way)
          yield* Effect.all(back, { discard: true })
          const deadline = performance.now() + 15_000
          while ((yield* ask(second, stranger)).status !== 200) {
            assert.isBelow(performance.now(), deadline, `still refused: Postgres ${way}`)
            yield* Effect.sleep(100)
          }
          assert.strictEqual((yield* fleet.settled(stranger)).used, 35)
        }
        assert.strictEqual((yield* fleet.settled(known)).used, served * 35)
      }),
    180_000,
  )

  it.live(
    "is slow, a customer whom Redis does not know is served all the same",
    () =>
      Effect.gen(function* () {
        const alice = World.customer("postgres-slow")
        const fleet = yield* ToxicFleet.make({
          customers: [alice],
          behaviour: Stub.either({ prompt: 30, completion: 5 }),
          proxies: 1,
        })
        const [links] = fleet.links
        yield* (
          links?.postgres.add({ stream: "downstream", type: "latency", attributes: { latency: 300 } }) ?? Effect.void
        )
        const sent = Array.from({ length: 10 }, () =>
          LightClient.ask(fleet.proxies[0]?.url ?? "", alice.token, World.chatBody({ stream: true })),
        )
        for (const { status } of yield* Effect.promise(() => Promise.all(sent))) assert.strictEqual(status, 200)
        assert.strictEqual((yield* fleet.settled(alice)).used, 350)
      }),
    180_000,
  )
})
