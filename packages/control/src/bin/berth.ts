/** All of Berth in one process, on embedded defaults: `npm start`. Any variable of a connection makes that one real. */
import { launch } from "@berth/domain/Launch"
import * as Telemetry from "@berth/domain/Telemetry"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { banner } from "./berth/Banner.ts"
import * as Ports from "./berth/Ports.ts"
import * as Servers from "./berth/Servers.ts"
import * as Settings from "./berth/Settings.ts"
import * as Place from "./Place.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const settings = yield* Settings.read
    return Servers.layer(settings).pipe(
      Layer.provide(Ports.layer(settings)),
      Layer.tap(() => Console.log(banner(settings))),
    )
  }),
)

launch(Main.pipe(Layer.provide([Place.platform, Telemetry.layer("berth")])))
