import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ServiceBearer } from "@berth/domain/ServiceBearer"
import { assert, layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpServer } from "effect/http"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { layer as routes } from "../../src/provision/ProvisionRoutes.ts"
import { checkedOut, customer, world } from "../billing/World.ts"

class InternalPort extends Context.Service<InternalPort, number>()("test/InternalPort") {}

const internal = Layer.effect(
  InternalPort,
  Effect.map(HttpServer.HttpServer, ({ address }) => (address._tag === "InetAddressV4" ? address.port : 0)),
).pipe(
  Layer.provideMerge(HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true })),
  Layer.provide(ServiceBearer.layerOf(Redacted.make("service-secret"))),
  Layer.provide(Layer.fresh(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))),
  Layer.provideMerge(world),
)

const provision = Effect.fn("provision")(function* (orderId: string, bearer: string | undefined = "service-secret") {
  const port = yield* InternalPort
  const response = yield* Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/provision`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(bearer === "" ? {} : { authorization: `Bearer ${bearer}` }),
      },
      body: JSON.stringify({ orderId }),
    }),
  )
  return { status: response.status, body: (yield* Effect.promise(() => response.json())) as { jobId?: string } }
})

layer(internal, { timeout: "60 seconds", excludeTestServices: true })("POST /provision", (it) => {
  it.effect("paid: 202 with the job's id, the same on every repeat", () =>
    Effect.gen(function* () {
      const { orderId } = yield* customer()
      const first = yield* provision(orderId)
      assert.deepEqual(first, { status: 202, body: { jobId: `job:${orderId}:1` } })
      assert.deepEqual(yield* provision(orderId), first)
    }),
  )

  it.effect("unpaid: 409", () =>
    Effect.gen(function* () {
      const { orderId } = yield* checkedOut()
      assert.strictEqual((yield* provision(orderId)).status, 409)
    }),
  )

  it.effect("unknown: 404", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* provision("ord_none")).status, 404)
    }),
  )

  it.effect("no credential or a wrong one: 401, whatever the order", () =>
    Effect.gen(function* () {
      const { orderId } = yield* customer()
      assert.strictEqual((yield* provision(orderId, "")).status, 401)
      assert.strictEqual((yield* provision(orderId, "wrong")).status, 401)
      assert.strictEqual((yield* provision("ord_none", "wrong")).status, 401)
    }),
  )
})
