/** The token-proxy by itself: `npm run start:proxy`. With no variable given it is all embedded and prints a customer to try. */
import { randomBytes } from "node:crypto"
import { launch } from "@berth/domain/Launch"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { seed, tryIt } from "../embedded/Seed.ts"
import * as Proxy from "../Proxy.ts"
import { Settings } from "../Settings.ts"
import * as Ports from "./Ports.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const missing = yield* Ports.embedded
    const port = yield* Config.Port("PROXY_PORT").pipe(Config.withDefault(8080))
    const seeded = seed(randomBytes(32), Date.now())
    const ports = Object.entries(missing).map(([name, variable]) =>
      variable === undefined ? `  ${name}: real` : `  ${name}: embedded (${variable} makes it real)`,
    )
    const banner = [
      `token-proxy on http://127.0.0.1:${port}/v1`,
      ...ports,
      ...(missing.customers === undefined ? [] : [tryIt(seeded, port)]),
    ].join("\n")
    return Layer.mergeAll(Proxy.layer, Proxy.ops).pipe(
      Layer.tap(() => Console.log(banner)),
      Layer.provide(Ports.layer(missing, seeded)),
      Layer.provide(Settings.layer),
    )
  }),
)

launch(Main)
