/** The token-proxy by itself: `npm run start:proxy`. With no variable given it is all embedded and prints a customer to try. */
import { randomBytes } from "node:crypto"
import * as Embedded from "@berth/domain/Embedded"
import { launch } from "@berth/domain/Launch"
import * as Listen from "@berth/domain/Listen"
import * as Telemetry from "@berth/domain/Telemetry"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { seed, tryIt } from "../embedded/Seed.ts"
import * as Proxy from "../Proxy.ts"
import { Settings } from "../Settings.ts"
import * as Ports from "./Ports.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const ports = yield* Ports.embedded
    const port = yield* Listen.port("PROXY_PORT", 8080)
    const opsPort = yield* Listen.port("PROXY_OPS_PORT", 9090)
    const seeded = seed(randomBytes(32), Date.now())
    const banner = Embedded.banner({
      title: `token-proxy on http://127.0.0.1:${port}/v1`,
      ports,
      open: { ops: `http://127.0.0.1:${opsPort}/metrics` },
      tryIt: ports.postgres === undefined ? [] : tryIt(seeded, port),
    })
    return Layer.mergeAll(Proxy.layer, Proxy.ops).pipe(
      Layer.tap(() => Console.log(banner)),
      Layer.provide(Ports.layer(ports, seeded)),
      Layer.provide(Settings.layer),
    )
  }),
)

launch(Main.pipe(Layer.provide(Telemetry.layer("token-proxy"))))
