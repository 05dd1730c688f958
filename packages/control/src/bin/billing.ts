/** Billing by itself: `npm run start:billing`. With no variable given it is all embedded and prints an order to pay. */
import { createServer } from "node:http"
import { describe } from "@berth/domain/Embedded"
import { launch } from "@berth/domain/Launch"
import * as Ops from "@berth/domain/Ops"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Billing from "../billing/Billing.ts"
import { Checkout } from "../billing/Checkout.ts"
import * as SampleOrder from "../embedded/SampleOrder.ts"
import * as Ports from "./billing/Ports.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Ports.settings
    const { embedded, local, port } = settings
    const banner = ["billing", ...describe(embedded), `  webhook    ${local}/webhooks/stripe`].join("\n")
    const tryIt = Effect.flatMap(SampleOrder.place, ({ accountId, url }) =>
      Console.log(`customer ${accountId}: pay at ${url}, then look at ${local}/dev/mail`),
    ).pipe(Effect.provide(Checkout.layer.pipe(Layer.provideMerge(Billing.purchases))))
    const alone = embedded.postgres !== undefined && embedded.redis !== undefined && embedded.stripe !== undefined
    const routes = Layer.mergeAll(Billing.routes, Ports.pages(settings), alone ? SampleOrder.thanks : Layer.empty)
    return Layer.mergeAll(
      Billing.layer({ publicUrl: settings.publicUrl }),
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })),
      ),
      Ops.layer({ variable: "BILLING_OPS_PORT", port: 9093, ready: Billing.ready }),
      alone ? SampleOrder.pretendOperator : Layer.empty,
    ).pipe(
      Layer.tap(() => Effect.andThen(Console.log(banner), alone ? tryIt : Effect.void)),
      Layer.provideMerge(Ports.layer(settings)),
    )
  }),
)

launch(Main)
