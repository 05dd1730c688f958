/** What a body takes while it comes in is what it counts for, in however many pieces it comes. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { EventEmitter } from "node:events"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { readBody } from "../src/ReadBody.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void
const memory = (): number => {
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

describe("a body", () => {
  it.effect("in pieces of a byte takes up little more than its length, and is the same", () =>
    Effect.gen(function* () {
      const length = 1_000_000
      const incoming = Object.assign(new EventEmitter(), { headers: {}, pause: () => {} })
      const response = new EventEmitter()
      const reading = yield* Effect.forkChild(
        readBody(incoming as unknown as IncomingMessage, response as unknown as ServerResponse, {
          limit: length,
          take: () => undefined,
        }),
      )
      yield* Effect.yieldNow
      const before = memory()
      for (let at = 0; at < length; at++) incoming.emit("data", Buffer.from([at % 251]))
      // A hundred times its length if each piece is kept.
      assert.isBelow(memory() - before, 16 * length)
      incoming.emit("end")
      const body = yield* Fiber.join(reading)
      assert.strictEqual(body.length, length)
      assert.isTrue(body.every((byte, at) => byte === at % 251))
    }),
  )
})
