/** The web service by itself: `npm run start:web`. The pages, and, where no Ingress does it, the way to the services behind. */
import * as Embedded from "@berth/domain/Embedded"
import { launch } from "@berth/domain/Launch"
import * as Listen from "@berth/domain/Listen"
import * as Ops from "@berth/domain/Ops"
import * as Telemetry from "@berth/domain/Telemetry"
import { NodeHttpClient, NodeServices, NodeSocket } from "@effect/platform-node"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LoopbackOnly from "../embedded/LoopbackOnly.ts"
import * as PassOn from "../pages/PassOn.ts"
import * as WebBundle from "../pages/WebBundle.ts"
import * as WebRoutes from "../pages/WebRoutes.ts"
import * as Behind from "./web/Behind.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Listen.port("WEB_PORT", 3000)
    const behind = yield* Behind.read
    const { root, builtInMs } = yield* WebBundle.ensure
    if (builtInMs !== undefined) yield* Console.log(`pages built in ${builtInMs} ms`)
    const passed = behind === undefined ? Layer.empty : PassOn.layer(behind)
    const banner = Embedded.banner({
      title: `web on http://127.0.0.1:${port}`,
      ports: {},
      open: behind === undefined ? { behind: "none: API_ORIGIN is not given" } : Behind.describe(behind),
      tryIt: [`open http://127.0.0.1:${port}`],
    })
    return Layer.mergeAll(
      Listen.serve(Layer.mergeAll(WebRoutes.layer(root), passed, LoopbackOnly.layer), { variable: "WEB_PORT", port }),
      Ops.layer({ variable: "WEB_OPS_PORT", port: 9094, ready: Effect.succeed(true) }),
    ).pipe(Layer.tap(() => Console.log(banner)))
  }),
)

launch(
  Main.pipe(
    Layer.provide([
      NodeServices.layer,
      NodeHttpClient.layerUndici,
      NodeSocket.layerWebSocketConstructor,
      Telemetry.layer("web"),
    ]),
  ),
)
