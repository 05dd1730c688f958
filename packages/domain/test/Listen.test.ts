/** Servers as every service opens them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Listen from "../src/Listen.ts"
import { freePorts } from "../src/testing/FreePorts.ts"

describe("a server whose port is open before its routes are there", () => {
  it.live("answers what came in between, once they are", () =>
    Effect.gen(function* () {
      const [port = 0] = yield* Effect.promise(() => freePorts(1))
      const slow = Layer.effectDiscard(Effect.sleep("300 millis"))
      const routes = HttpRouter.add("GET", "/", HttpServerResponse.text("hello")).pipe(Layer.provide(slow))
      const ask = Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}`, { signal: AbortSignal.timeout(5_000) }))
      // Refused until the port is open; the request after that is given up only when nobody answers it.
      const early = yield* Effect.forkChild(
        Effect.retry(ask, { schedule: Schedule.spaced("5 millis"), while: ({ cause }) => !isTimeout(cause) }),
      )
      yield* Layer.build(Listen.serve(routes, { variable: "PORT", port }))
      for (const response of [yield* Fiber.join(early), yield* ask])
        assert.strictEqual(yield* Effect.promise(() => response.text()), "hello")
    }).pipe(Effect.scoped),
  )
})

const isTimeout = (cause: unknown): boolean => cause instanceof Error && cause.name === "TimeoutError"
