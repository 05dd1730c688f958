/**
 * The web service: the pages on WEB_PORT (3000). In a cluster the Ingress sends /api and /webhooks elsewhere; without one,
 * API_ORIGIN and ONBOARDING_ORIGIN name the services that this passes those paths on to.
 */
import { launch } from "@berth/domain/Launch"
import { NodeHttpClient, NodeHttpServer, NodeServices, NodeSocket } from "@effect/platform-node"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { HttpRouter } from "effect/http"
import { createServer } from "node:http"
import * as PassOn from "../pages/PassOn.ts"
import * as WebBundle from "../pages/WebBundle.ts"
import * as WebRoutes from "../pages/WebRoutes.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Config.Port("WEB_PORT").pipe(Config.withDefault(3000))
    const host = yield* Config.String("HOST").pipe(Config.withDefault("127.0.0.1"))
    const api = yield* Config.option(Config.URL("API_ORIGIN"))
    const onboarding = yield* Config.option(Config.URL("ONBOARDING_ORIGIN"))
    const { root, builtInMs } = yield* WebBundle.ensure
    if (builtInMs !== undefined) yield* Console.log(`pages built in ${builtInMs} ms`)
    const passed = Option.match(api, { onNone: () => Layer.empty, onSome: (url) => PassOn.layer(url, onboarding) })
    const served = HttpRouter.serve(Layer.mergeAll(WebRoutes.layer(root), passed), {
      disableLogger: true,
      disableListenLog: true,
    }).pipe(Layer.provide(NodeHttpServer.layer(createServer, { port, host })))
    const behind = Option.match(api, { onNone: () => "none, set API_ORIGIN", onSome: ({ origin }) => origin })
    return Layer.effectDiscard(Console.log(`web: open http://${host}:${port} (api: ${behind})`)).pipe(
      Layer.provide(served),
    )
  }),
)

launch(Main.pipe(Layer.provide([NodeServices.layer, NodeHttpClient.layerUndici, NodeSocket.layerWebSocketConstructor])))
