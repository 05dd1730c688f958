/**
 * Stripe's own mock, for tests: it checks each request against Stripe's specification and answers with a fixture. It has no
 * memory, sends no webhooks, and its specification may be older than the API version that a client names.
 */
import * as Effect from "effect/Effect"
import { startServer } from "./ServerProcess.ts"
import { stripeMockBinary } from "./StripeMockBinary.ts"

/** Starts one; its port on 127.0.0.1, over plain HTTP. Any `sk_test_…` key is accepted. Gone when the scope closes. */
export const startStripeMock = Effect.fn("startStripeMock")(function* () {
  const { port } = yield* startServer({
    name: "stripe-mock",
    binary: yield* stripeMockBinary,
    args: (at) => ["-http-port", String(at.port)],
    path: "/v1/charges",
    // Refusing whoever comes without a key is an answer as well.
    isUp: () => true,
  })
  return { host: "127.0.0.1", port }
})
