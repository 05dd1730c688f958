/** All of Berth in one process, on embedded defaults: `npm start`. Any variable of a connection makes that one real. */
import { launch } from "@berth/domain/Launch"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { banner } from "./berth/Banner.ts"
import * as Keys from "./berth/Keys.ts"
import * as Ports from "./berth/Ports.ts"
import * as Servers from "./berth/Servers.ts"
import * as Settings from "./berth/Settings.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings.read
    const keys = yield* Keys.read(settings.folder)
    return Servers.layer(settings, keys).pipe(
      Layer.provide(Ports.layer(settings, keys)),
      Layer.tap(() => Console.log(banner(settings))),
    )
  }),
).pipe(Layer.provide(NodeServices.layer))

launch(Main)
