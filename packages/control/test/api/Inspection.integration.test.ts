/** Who may look at which agent, over HTTP: a customer at the own one and no other, staff at any. */
import { type AgentHealth, AgentInspection, InspectionUnavailable, NoLogs } from "@berth/domain/AgentInspection"
import { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpApi, HttpApiBuilder } from "effect/http-api"
import * as Layer from "effect/Layer"
import { SessionGroup } from "../../src/api/Api.ts"
import { StaffInspectionGroup } from "../../src/api/InspectionApi.ts"
import { authenticated } from "../../src/api/Authentication.ts"
import { staffInspectionHandlers } from "../../src/api/InspectionHandlers.ts"
import { callers, routes } from "../../src/api/Server.ts"
import { sessionHandlers } from "../../src/api/SessionHandlers.ts"
import { AdminOnly, CurrentAccount, Forbidden } from "../../src/api/Session.ts"
import { ask, bearer, openSession, serve, stores } from "./World.ts"

const healthOf = (customerId: CustomerId): AgentHealth => ({
  customerId,
  phase: "active",
  generation: 2,
  answers: true,
  conditions: [{ type: "Ready", status: "True", reason: "Running", message: "The agent is running.", since: 9 }],
  process: { startedAt: 5, restarts: 0, lastEnd: null },
  disk: { used: 1, capacity: 4 },
})

/** Every account has an agent, whose log says whose it is; but for one that is stopped and one that is out of reach. */
const asked: Array<CustomerId> = []
let stopped: string | undefined
let away = false
const everybody = Layer.succeed(AgentInspection)({
  health: (id) => {
    asked.push(id)
    return away ? Effect.fail(InspectionUnavailable.now) : Effect.succeed(healthOf(id))
  },
  logs: (id, { tail, previous }) => {
    asked.push(id)
    return id === stopped
      ? Effect.fail(new NoLogs({ message: "The agent is not running, so there is no log of it." }))
      : Effect.succeed({ lines: [{ at: 7, text: `log of ${id}, ${tail} lines${previous ? ", before" : ""}` }] })
  },
})

layer(serve(routes).pipe(Layer.provide(everybody), Layer.provideMerge(stores)), { excludeTestServices: true })(
  "looking at an agent",
  (it) => {
    it.effect("is for its own customer: no path names another, and no session means no look", () =>
      Effect.gen(function* () {
        const mine = yield* openSession
        const other = yield* openSession
        asked.length = 0
        const health = yield* ask("/api/agent/health", { headers: bearer(mine.token) })
        assert.deepStrictEqual(health.json, healthOf(CustomerId.make(mine.accountId)))
        const logs = yield* ask("/api/agent/logs?tail=7&previous=true", { headers: bearer(mine.token) })
        assert.deepStrictEqual(logs.json, { lines: [{ at: 7, text: `log of ${mine.accountId}, 7 lines, before` }] })
        const usual = yield* ask("/api/agent/logs", { headers: bearer(mine.token) })
        assert.include(usual.text, "100 lines")
        for (const path of [
          `/api/agent/logs?id=${other.accountId}`,
          `/api/agent/logs?customerId=${other.accountId}`,
          `/api/agent/health?id=${other.accountId}`,
        ])
          assert.notInclude((yield* ask(path, { headers: bearer(mine.token) })).text, other.accountId)
        assert.deepStrictEqual([...new Set(asked)], [mine.accountId])
        for (const path of ["/api/agent/health", "/api/agent/logs"]) {
          assert.strictEqual((yield* ask(path)).status, 401)
          assert.strictEqual((yield* ask(path, { headers: bearer("made-up") })).status, 401)
        }
        assert.deepStrictEqual([...new Set(asked)], [mine.accountId])
      }),
    )

    it.effect("at any other agent is refused to customers, before anybody is asked", () =>
      Effect.gen(function* () {
        const mine = yield* openSession
        const other = yield* openSession
        asked.length = 0
        for (const id of [other.accountId, mine.accountId])
          for (const what of ["health", "logs"]) {
            const path = `/api/admin/agents/${id}/${what}`
            assert.strictEqual((yield* ask(path, { headers: bearer(mine.token) })).status, 403, path)
            assert.strictEqual((yield* ask(path)).status, 401, path)
          }
        assert.deepStrictEqual(asked, [])
      }),
    )

    it.effect("says plainly what there is not, and keeps to its bounds", () =>
      Effect.gen(function* () {
        const mine = yield* openSession
        const headers = bearer(mine.token)
        stopped = mine.accountId
        const none = yield* ask("/api/agent/logs", { headers })
        assert.deepStrictEqual([none.status, none.json._tag], [409, "NoLogs"])
        stopped = undefined
        away = true
        const later = yield* ask("/api/agent/health", { headers })
        assert.deepStrictEqual([later.status, later.json._tag], [503, "InspectionUnavailable"])
        away = false
        for (const tail of ["0", "501", "x"])
          assert.strictEqual((yield* ask(`/api/agent/logs?tail=${tail}`, { headers })).status, 400, tail)
      }),
    )

    it.effect("stands in the API's description", () =>
      Effect.gen(function* () {
        const { json } = yield* ask("/openapi.json")
        for (const path of ["/api/agent/health", "/api/agent/logs", "/api/admin/agents/{id}/logs"])
          assert.property(json.paths, path)
        const parameters = json.paths["/api/agent/logs"].get.parameters.map(({ name }: { name: string }) => name)
        assert.deepStrictEqual(parameters, ["tail", "previous"])
      }),
    )
  },
)

class StaffApi extends HttpApi.make("berth").add(SessionGroup).add(StaffInspectionGroup) {}

/** Lets in whom the test calls staff. */
const staff = new Set<string>()
const staffOnly = Layer.succeed(AdminOnly)((handle) =>
  Effect.gen(function* () {
    const { id } = yield* CurrentAccount
    if (!staff.has(id)) return yield* new Forbidden({ message: "This is for staff." })
    return yield* handle
  }),
)
const staffRoutes = HttpApiBuilder.layer(StaffApi).pipe(
  Layer.provide([sessionHandlers, staffInspectionHandlers]),
  Layer.provide([authenticated, staffOnly]),
  Layer.provide(callers),
)

layer(serve(staffRoutes).pipe(Layer.provide(everybody), Layer.provideMerge(stores)), {
  excludeTestServices: true,
})("staff", (it) => {
  it.effect("looks at any agent that it names", () =>
    Effect.gen(function* () {
      const one = yield* openSession
      const other = yield* openSession
      staff.add(one.accountId)
      const headers = bearer(one.token)
      const logs = yield* ask(`/api/admin/agents/${other.accountId}/logs?tail=3`, { headers })
      assert.deepStrictEqual(logs.json, { lines: [{ at: 7, text: `log of ${other.accountId}, 3 lines` }] })
      const health = yield* ask(`/api/admin/agents/${other.accountId}/health`, { headers })
      assert.strictEqual(health.json.customerId, other.accountId)
      assert.strictEqual((yield* ask("/api/admin/agents/NOT-AN-ID/health", { headers })).status, 400)
      const stranger = yield* ask(`/api/admin/agents/${one.accountId}/logs`, { headers: bearer(other.token) })
      assert.strictEqual(stranger.status, 403)
    }),
  )
})
