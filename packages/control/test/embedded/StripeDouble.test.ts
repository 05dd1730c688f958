import { createServer, type Server } from "node:http"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { FetchHttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Redacted from "effect/Redacted"
import { Payments } from "../../src/billing/Payments.ts"
import * as DurableStore from "../../src/embedded/DurableStore.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import * as StripePayments from "../../src/embedded/StripePayments.ts"
import { paymentsContract } from "../../src/testing/PaymentsContract.ts"

const webhookSecret = Redacted.make("whsec_double")

const doubleAt = (webhookUrl: string) =>
  StripePayments.layer({ publicUrl: "http://berth.test", webhookSecret }).pipe(
    Layer.provideMerge(
      StripeDouble.layer({ webhookUrl, webhookSecret, pageUrl: "http://berth.test/dev/stripe/checkout" }),
    ),
    Layer.provide(FetchHttpClient.layer),
  )

const nowhere = "http://127.0.0.1:1/webhooks"

paymentsContract(
  "the embedded Stripe, over the real client",
  doubleAt(nowhere).pipe(Layer.provide(KeyValueStore.layerMemory)),
  (id) => StripeDouble.use((double) => Effect.asVoid(double.pay(id))),
  "double",
)

/** An endpoint that answers what it is told to and keeps what it got. */
const endpoint = (answers: Array<number>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const received: Array<{ readonly body: Buffer; readonly signature: string }> = []
      const server: Server = createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          received.push({ body: Buffer.concat(chunks), signature: String(request.headers["stripe-signature"]) })
          response.writeHead(answers.shift() ?? 200).end()
        })
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/stripe`
      return { received, url, server }
    }),
    ({ server }) => Effect.sync(() => server.close()),
  )

const bought = Effect.gen(function* () {
  const payments = yield* Payments
  const orderId = OrderId.make("ord_1")
  const request = { orderId, accountId: CustomerId.make("ann"), tier: "pro" as const, email: "a@b.c", attempt: 1 }
  const { id } = yield* payments.createCheckout(request)
  yield* (yield* StripeDouble).pay(id)
  return id
})

const eventually = <R>(what: string, holds: Effect.Effect<boolean, never, R>) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 400; tries++) {
      if (yield* holds) return
      yield* Effect.sleep("10 millis")
    }
    assert.fail(what)
  })

const delivered = eventually(
  "everything is delivered",
  StripeDouble.use(({ world }) => Effect.map(world, ({ deliveries }) => deliveries.length === 0)),
)

describe("the embedded Stripe's webhooks", () => {
  it.live("are signed so that the real client accepts them, and sent again until 2xx", () =>
    Effect.gen(function* () {
      const { received, url } = yield* endpoint([500, 503])
      yield* Effect.gen(function* () {
        yield* bought
        yield* delivered
        const payments = yield* Payments
        const events = yield* Effect.forEach(received, ({ body, signature }) => payments.verify(body, signature))
        assert.lengthOf(received, 4, "two events, each refused once at most")
        assert.deepStrictEqual(
          new Set(events.map(({ type }) => type)),
          new Set(["invoice.paid", "checkout.session.completed"]),
        )
        assert.strictEqual(events[0]?.apiVersion, payments.apiVersion)
      }).pipe(Effect.provide(doubleAt(url).pipe(Layer.provide(KeyValueStore.layerMemory))))
    }).pipe(Effect.scoped),
  )

  it.live("can be sent twice", () =>
    Effect.gen(function* () {
      const { received, url } = yield* endpoint([])
      yield* Effect.gen(function* () {
        yield* (yield* StripeDouble).sendTwice(true)
        yield* bought
        yield* delivered
        assert.lengthOf(received, 4)
      }).pipe(Effect.provide(doubleAt(url).pipe(Layer.provide(KeyValueStore.layerMemory))))
    }).pipe(Effect.scoped),
  )

  it.live("that nobody took, and every checkout, are still there after a kill", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-stripe-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
      )
      const at = (url: string) =>
        doubleAt(url).pipe(
          Layer.provide(DurableStore.layer(join(folder, "embedded"))),
          Layer.provide(NodeServices.layer),
        )
      const checkoutId = yield* bought.pipe(Effect.provide(at(nowhere)))
      const { received, url } = yield* endpoint([])
      yield* Effect.gen(function* () {
        yield* delivered
        assert.lengthOf(received, 2)
        assert.deepInclude(yield* (yield* Payments).checkout(checkoutId), { status: "complete", paid: true })
        assert.include(readFileSync(join(folder, "embedded/stripe"), "utf8"), checkoutId)
      }).pipe(Effect.provide(at(url)))
    }).pipe(Effect.scoped),
  )
})
