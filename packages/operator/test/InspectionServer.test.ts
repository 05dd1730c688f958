/** The operator's own port, over real HTTP: who gets in, what is asked for, and what it says where there is nothing. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import {
  type AgentHealth,
  AgentInspection,
  AgentUnknown,
  InspectionUnavailable,
  type LogOptions,
  NoLogs,
} from "@berth/domain/AgentInspection"
import { CustomerId } from "@berth/domain/Ids"
import { ServiceBearer } from "@berth/domain/ServiceBearer"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { routes } from "../src/InspectionServer.ts"

const health: AgentHealth = {
  customerId: CustomerId.make("ada"),
  phase: "active",
  generation: 3,
  answers: true,
  conditions: [{ type: "Ready", status: "True", reason: "Running", message: "The agent is running.", since: 1 }],
  process: { startedAt: 5, restarts: 1, lastEnd: { why: "outOfMemory", at: 4 } },
  disk: { used: 1, capacity: 2 },
}
const asked: Array<LogOptions> = []

const inspection = Layer.succeed(AgentInspection)({
  health: (id) =>
    id === "ada"
      ? Effect.succeed(health)
      : Effect.fail(
          id === "away" ? InspectionUnavailable.now : new AgentUnknown({ message: "There is no such agent." }),
        ),
  logs: (id, options) => {
    asked.push(options)
    return id === "ada"
      ? Effect.succeed({ lines: [{ at: 7, text: "hello" }] })
      : Effect.fail(new NoLogs({ message: "The agent is not running." }))
  },
})

const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide([inspection, ServiceBearer.layerOf(Redacted.make("operator-secret"))]),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
)

const get = Effect.fn(function* (path: string, bearer: string | undefined = "operator-secret") {
  const { address } = yield* HttpServer.HttpServer
  return yield* Effect.promise(async () => {
    const headers: Record<string, string> = bearer === "" ? {} : { authorization: `Bearer ${bearer}` }
    const answer = await fetch(HttpServer.formatAddress(address) + path, { headers })
    return { status: answer.status, body: await answer.text() }
  })
})

layer(server, { excludeTestServices: true })("the operator's own port", (it) => {
  it.effect("lets nobody in without the bearer, whatever they ask for", () =>
    Effect.gen(function* () {
      for (const bearer of ["", "wrong", "operator-secret2", "operator-secre"])
        for (const path of ["/agents/ada/health", "/agents/ada/logs", "/agents/none/logs"])
          assert.strictEqual((yield* get(path, bearer)).status, 401, `${bearer} ${path}`)
      assert.deepStrictEqual(asked, [])
    }),
  )

  it.effect("tells how an agent does", () =>
    Effect.gen(function* () {
      const answer = yield* get("/agents/ada/health")
      assert.deepStrictEqual([answer.status, JSON.parse(answer.body)], [200, health])
      assert.strictEqual((yield* get("/agents/none/health")).status, 404)
      assert.strictEqual((yield* get("/agents/away/health")).status, 503)
    }),
  )

  it.effect("gives as many lines as are asked for, within bounds", () =>
    Effect.gen(function* () {
      const answer = yield* get("/agents/ada/logs")
      assert.deepStrictEqual([answer.status, JSON.parse(answer.body)], [200, { lines: [{ at: 7, text: "hello" }] }])
      assert.strictEqual((yield* get("/agents/ada/logs?tail=500&previous=true")).status, 200)
      assert.deepStrictEqual(asked.slice(-2), [
        { tail: 100, previous: false },
        { tail: 500, previous: true },
      ])
      for (const tail of ["0", "501", "-1", "1.5", "all", ""])
        assert.strictEqual((yield* get(`/agents/ada/logs?tail=${tail}`)).status, 400, tail)
      assert.strictEqual((yield* get("/agents/none/logs")).status, 409)
      assert.strictEqual(asked.length, 3)
    }),
  )

  it.effect("asks for no agent whose name could not be one", () =>
    Effect.gen(function* () {
      for (const id of ["..%2f..%2fsecrets", "A", "a%20b", "-a", "x".repeat(41)])
        assert.strictEqual((yield* get(`/agents/${id}/health`)).status, 400, id)
    }),
  )
})
