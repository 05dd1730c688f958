/** What goes wrong inside, and what must not come out with it. */
import { Allowance } from "@berth/domain/Allowance"
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as World from "./World.ts"

const broken = Layer.provideMerge(
  Layer.effect(
    Allowance,
    Effect.map(Allowance, (memory) => ({
      ...memory,
      admit: () => Effect.die(new Error("a fault of ours, with details")),
      view: () => Effect.die(new Error("a fault of ours, with details")),
    })),
  ),
  Layer.fresh(World.memory),
)

describe("a fault of ours", () => {
  it.live("is told as 500 in JSON without a word of what it was, and stands in the log", () => {
    const lines: Array<string> = []
    const logger = Logger.make((entry) => {
      lines.push(`${JSON.stringify(entry.message)} ${Cause.pretty(entry.cause)}`)
    })
    return Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice], allowance: broken })
      for (const path of ["/v1/chat/completions", "/v1/usage"]) {
        const response = yield* Effect.promise(() =>
          fetch(`${world.url}${path}`, {
            headers: { authorization: `Bearer ${alice.token}` },
            ...(path === "/v1/usage" ? {} : { method: "POST", body: JSON.stringify(World.chatBody()) }),
          }),
        )
        assert.strictEqual(response.status, 500)
        const text = yield* Effect.promise(() => response.text())
        assert.strictEqual(JSON.parse(text).error.code, "internal_error")
        assert.notInclude(text, "details")
        assert.match(response.headers.get("x-request-id") ?? "", /^req_/)
      }
      assert.strictEqual(world.stub.received.length, 0)
      assert.include(lines.join("\n"), "a fault of ours, with details")
      assert.notInclude(lines.join("\n"), alice.token)
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})

describe("a path that holds a secret", () => {
  it.live("is not repeated with it", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice] })
      for (const secret of [alice.token, "sk-0123456789abcdef"]) {
        for (const path of [`/v1/${secret}`, `/v1/models?api_key=${secret}`, `/${secret}/v1/models`]) {
          const response = yield* Effect.promise(() => fetch(`${world.url}${path}`))
          const text = yield* Effect.promise(() => response.text())
          assert.isAtLeast(response.status, 401)
          assert.notInclude(text, secret)
        }
      }
    }),
  )
})
