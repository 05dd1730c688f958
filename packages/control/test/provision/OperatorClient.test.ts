/** The api's way to the operator, over real HTTP: what it brings back, and that it never breaks on what comes back. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { AgentInspection } from "@berth/domain/AgentInspection"
import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FetchHttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { layer } from "../../src/provision/OperatorClient.ts"

const ann = CustomerId.make("ann")
const health = {
  customerId: "ann",
  phase: "active",
  generation: 2,
  answers: null,
  conditions: [],
  process: null,
  disk: null,
}

/** A client of an operator that answers so. */
const asking = <A, E>(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  body: (inspection: AgentInspection["Service"], asked: ReadonlyArray<string>) => Effect.Effect<A, E>,
) =>
  Effect.gen(function* () {
    const asked: Array<string> = []
    const url = yield* Effect.acquireRelease(
      Effect.callback<{ readonly origin: string; readonly close: () => void }>((resume) => {
        const server = createServer((request, response) => {
          asked.push(`${request.headers.authorization} ${request.url}`)
          answer(request, response)
        })
        server.listen(0, "127.0.0.1", () => {
          const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
          const close = () => {
            server.closeAllConnections()
            server.close()
          }
          resume(Effect.succeed({ origin, close }))
        })
      }),
      ({ close }) => Effect.sync(close),
    )
    const client = layer({ url: url.origin, token: Redacted.make("operator-secret") })
    return yield* AgentInspection.use((inspection) => body(inspection, asked)).pipe(
      Effect.provide(client.pipe(Layer.provide(FetchHttpClient.layer))),
    )
  }).pipe(Effect.scoped)

const json = (response: ServerResponse, status: number, value: unknown) => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify(value))
}
const tagOf = <A, E extends { readonly _tag: string }>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.result(effect), (result) => (Result.isFailure(result) ? result.failure._tag : "answered"))

describe("the way to the operator", () => {
  it.live("bears its token, and brings back what the operator says", () =>
    asking(
      ({ url }, response) =>
        json(response, 200, url?.includes("logs") === true ? { lines: [{ at: 1, text: "hello" }] } : health),
      (inspection, asked) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* inspection.health(ann)).phase, "active")
          assert.deepStrictEqual((yield* inspection.logs(ann, { tail: 20, previous: true })).lines, [
            { at: 1, text: "hello" },
          ])
          assert.deepStrictEqual(asked, [
            "Bearer operator-secret /agents/ann/health",
            "Bearer operator-secret /agents/ann/logs?tail=20&previous=true",
          ])
        }),
    ),
  )

  it.live("asks the same question once within a moment, and every other", () =>
    asking(
      (_, response) => json(response, 200, { lines: [] }),
      (inspection, asked) =>
        Effect.gen(function* () {
          const ask = (tail: number, previous = false, id = ann) => inspection.logs(id, { tail, previous })
          yield* Effect.all([ask(5), ask(5), ask(5)], { concurrency: "unbounded" })
          yield* ask(5)
          assert.strictEqual(asked.length, 1)
          yield* ask(6)
          yield* ask(5, true)
          yield* ask(5, false, CustomerId.make("bob"))
          assert.strictEqual(asked.length, 4)
        }),
    ),
  )

  it.live("tells an agent that is not known and a log that is not there from an operator that can't be asked", () =>
    Effect.gen(function* () {
      const cases = [
        [404, { _tag: "AgentUnknown", message: "There is no such agent." }, "AgentUnknown", "AgentUnknown"],
        [409, { _tag: "NoLogs", message: "Not running." }, "InspectionUnavailable", "NoLogs"],
        [503, { _tag: "InspectionUnavailable", message: "Later." }, "InspectionUnavailable", "InspectionUnavailable"],
        [401, { _tag: "Unauthorized", message: "No." }, "InspectionUnavailable", "InspectionUnavailable"],
        [500, {}, "InspectionUnavailable", "InspectionUnavailable"],
        [200, { some: "thing" }, "InspectionUnavailable", "InspectionUnavailable"],
      ] as const
      for (const [status, body, ofHealth, ofLogs] of cases)
        yield* asking(
          (_, response) => json(response, status, body),
          (inspection) =>
            Effect.gen(function* () {
              assert.strictEqual(yield* tagOf(inspection.health(ann)), ofHealth, String(status))
              assert.strictEqual(
                yield* tagOf(inspection.logs(ann, { tail: 1, previous: false })),
                ofLogs,
                String(status),
              )
            }),
        )
      yield* asking(
        (_, response) => void response.destroy(),
        (inspection) =>
          Effect.gen(function* () {
            assert.strictEqual(yield* tagOf(inspection.health(ann)), "InspectionUnavailable")
          }),
      )
    }),
  )
})
