/** Billing by itself: `npm run start:billing`. With no variable given it is all embedded and prints an order to pay. */
import { launch } from "@berth/domain/Launch"
import * as Listen from "@berth/domain/Listen"
import * as Ops from "@berth/domain/Ops"
import * as Telemetry from "@berth/domain/Telemetry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Billing from "../billing/Billing.ts"
import { Checkout } from "../billing/Checkout.ts"
import * as LoopbackOnly from "../embedded/LoopbackOnly.ts"
import * as Sample from "./billing/Sample.ts"
import * as Exports from "./Exports.ts"
import * as Keys from "./Keys.ts"
import * as Mail from "./Mail.ts"
import * as Payments from "./Payments.ts"
import * as Place from "./Place.ts"
import * as Stores from "./Stores.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const place = yield* Place.read(
      ["postgres", "redis", "stripe", "mail", "seal", "exports", "links", "address"],
      "BILLING_PORT",
      3003,
    )
    const pages = Layer.mergeAll(Payments.pages(place), Mail.pages(place), Sample.pages(place), LoopbackOnly.layer)
    return Layer.mergeAll(
      Billing.layer({ publicUrl: place.publicUrl.origin, telegram: place.telegram }),
      Listen.serve(Layer.merge(Billing.routes, pages), place),
      Ops.layer({ variable: "BILLING_OPS_PORT", port: 9093, ready: Billing.ready }),
      Sample.operator(place),
    ).pipe(
      Layer.tap(() =>
        Place.greet("billing", place, { webhook: `${place.local}/webhooks/stripe` }, Sample.tryIt(place)),
      ),
      Layer.provide(Checkout.layer.pipe(Layer.provideMerge(Billing.purchases))),
      Layer.provide(Layer.mergeAll(Stores.layer(place), Payments.layer(place), Mail.layer(place), Keys.sealer)),
      Layer.provide(Exports.store(place)),
    )
  }),
)

launch(Main.pipe(Layer.provide([Place.platform, Telemetry.layer("billing")])))
