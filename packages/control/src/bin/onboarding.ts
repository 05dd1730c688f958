/** Onboarding by itself: `npm run start:onboarding`. With no variable given it is all embedded and prints how to talk to it. */
import { createServer } from "node:http"
import { describe } from "@berth/domain/Embedded"
import { launch } from "@berth/domain/Launch"
import * as Ops from "@berth/domain/Ops"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Api from "../api/Server.ts"
import * as Billing from "../billing/Billing.ts"
import { Checkout } from "../billing/Checkout.ts"
import { Provisioning } from "../onboarding/Provisioning.ts"
import * as Onboarding from "../onboarding/Server.ts"
import * as Ports from "./onboarding/Ports.ts"
import * as Sample from "./onboarding/Sample.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Ports.settings
    const banner = ["onboarding", ...describe(settings.embedded)].join("\n")
    const services = Onboarding.services.pipe(
      Layer.provide(Layer.merge(Checkout.layer, Ports.wording(settings))),
      Layer.provide(Billing.purchases),
      Layer.merge(Provisioning.layerConfig(settings.keys?.service).pipe(Layer.provide(FetchHttpClient.layer))),
    )
    const routes = Layer.mergeAll(Onboarding.routes, Ports.pages(settings))
    return Layer.mergeAll(
      HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provide(NodeHttpServer.layer(createServer, { port: settings.port, host: settings.host })),
      ),
      Onboarding.workers,
      Ops.layer({ variable: "ONBOARDING_OPS_PORT", port: 9092, ready: Api.ready }),
      Sample.layer(settings),
    ).pipe(
      Layer.tap(() => Console.log(banner)),
      Layer.provide(services),
      Layer.provide(Ports.layer(settings)),
    )
  }),
).pipe(Layer.provide(NodeServices.layer))

launch(Main)
