/** The api by itself: `npm run start:api`. With no variable given it is all embedded and prints a customer to try. */
import { createServer } from "node:http"
import { describe } from "@berth/domain/Embedded"
import { launch } from "@berth/domain/Launch"
import * as Ops from "@berth/domain/Ops"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Api from "../api/Server.ts"
import * as Billing from "../billing/Billing.ts"
import { Checkout } from "../billing/Checkout.ts"
import * as ProvisionRoutes from "../provision/ProvisionRoutes.ts"
import * as Ports from "./api/Ports.ts"
import * as Sample from "./api/Sample.ts"
import * as LocalKeys from "./LocalKeys.ts"
import * as Payments from "./Payments.ts"

const serve = <A, E, R>(routes: Layer.Layer<A, E, R>, port: number, host: string) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(createServer, { port, host })),
  )

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Ports.settings
    const services = Layer.mergeAll(Api.callers, Checkout.layer).pipe(Layer.provideMerge(Billing.purchases))
    const provision = Layer.provide(ProvisionRoutes.layer, LocalKeys.serviceBearer(settings.keys))
    const banner = ["api", ...describe(settings.embedded), `  docs       ${settings.local}/docs`].join("\n")
    return Layer.mergeAll(
      serve(Layer.mergeAll(Api.routes, Payments.pages(settings.payments)), settings.port, settings.host),
      serve(provision, settings.internalPort, settings.host),
      Ops.layer({ variable: "API_OPS_PORT", port: 9091, ready: Api.ready }),
      Sample.layer(settings),
    ).pipe(
      Layer.tap(() => Console.log(banner)),
      Layer.provide(services),
      Layer.provide(Ports.layer(settings)),
    )
  }),
).pipe(Layer.provide(NodeServices.layer))

launch(Main)
