import * as NodeServices from "@effect/platform-node/NodeServices"
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { assert, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { FetchHttpClient } from "effect/http"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Payments } from "../../src/billing/Payments.ts"
import * as DurableStore from "../../src/embedded/DurableStore.ts"
import { StripeDouble } from "../../src/embedded/StripeDouble.ts"
import * as StripePayments from "../../src/embedded/StripePayments.ts"

const webhookSecret = Redacted.make("whsec_double")

/** What one service of this machine has: a double of its own over the folder of all. */
const service = (folder: string) =>
  Layer.build(
    StripePayments.layer({ publicUrl: "http://berth.test", webhookSecret }).pipe(
      Layer.provideMerge(
        StripeDouble.layer({ webhookUrl: "http://127.0.0.1:1/", webhookSecret, pageUrl: "http://berth.test/pay" }),
      ),
      Layer.provide([Layer.fresh(DurableStore.layer(folder)), FetchHttpClient.layer]),
      Layer.fresh,
    ),
  )

it.live("services that share a folder share one Stripe: nothing that one accepts is lost by another", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = `${yield* fs.makeTempDirectoryScoped()}/embedded/stripe`
    const services = [yield* service(folder), yield* service(folder)]
    const buy = (number: number) =>
      Effect.gen(function* () {
        const [seller, payer] = number % 2 === 0 ? services : services.toReversed()
        const { id } = yield* Context.getUnsafe(seller!, Payments).createCheckout({
          orderId: OrderId.make(`ord_${number}`),
          accountId: CustomerId.make(`c-${number}`),
          tier: "pro",
          email: "a@b.c",
          attempt: 1,
        })
        const paid = yield* Context.getUnsafe(payer!, StripeDouble).pay(id)
        assert.isTrue(Option.isSome(paid) && paid.value.status === "complete")
        return id
      })
    const ids = yield* Effect.forEach(
      Array.from({ length: 12 }, (_, number) => number),
      buy,
      { concurrency: "unbounded" },
    )
    for (const one of services) {
      const { sessions, subscriptions } = yield* Context.getUnsafe(one, StripeDouble).world
      assert.deepStrictEqual(Object.keys(sessions).sort(), ids.toSorted())
      assert.strictEqual(Object.keys(subscriptions).length, 12)
    }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
)

it.live("a turn that a killed process left open ends by itself", () =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const folder = `${yield* fs.makeTempDirectoryScoped()}/stripe`
    const turn = Context.getUnsafe(yield* Layer.build(DurableStore.layer(folder)), DurableStore.Turn)
    yield* fs.makeDirectory(`${folder}.lock`)
    yield* fs.utimes(`${folder}.lock`, 1, 1)
    assert.strictEqual(yield* turn(Effect.succeed("mine")), "mine")
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
)
