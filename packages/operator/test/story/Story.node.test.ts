/**
 * The real OpenClaw in a namespace that the real operator made, on a real node: sold over HTTP, metered by the token-proxy,
 * answering in Telegram, and kept through everything that can befall it. `npm run e2e:cluster` tells the same with times.
 */
import { describe, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { acts, sold } from "../../../../scripts/e2e-cluster/Acts.ts"
import { open } from "../../../../scripts/e2e-cluster/World.ts"
import { realNode } from "../cluster/Shared.ts"

const make = Effect.gen(function* () {
  const world = yield* open(() => {})
  return { world, ...(yield* sold(world, "story_bot")) }
})

class Story extends Context.Service<Story, Effect.Success<typeof make>>()("@berth/operator/test/Story") {
  static readonly layer = Layer.effect(Story, make).pipe(Layer.provide(realNode))
}

describe("a sold agent", () => {
  layer(Story.layer, { excludeTestServices: true, timeout: "15 minutes" })((it) => {
    for (const { play, title } of acts)
      it.effect(
        title,
        () =>
          Effect.gen(function* () {
            const { customer, world } = yield* Story
            yield* play(world, customer)
          }),
        // Longer than an act waits by itself, which then says for what.
        600_000,
      )
  })
})
