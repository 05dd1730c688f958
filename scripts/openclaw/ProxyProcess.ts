/** The token-proxy as its own program starts it, but that the customers come from a variable and not from Postgres. */
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { AllowanceSnapshot } from "@berth/domain/Allowance"
import { launch } from "@berth/domain/Launch"
import * as Ports from "@berth/proxy/bin/Ports"
import * as Proxy from "@berth/proxy/Proxy"
import { Settings } from "@berth/proxy/Settings"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

const snapshot = JSON.parse(process.env.E2E_CUSTOMER ?? "") as AllowanceSnapshot

launch(
  Layer.unwrap(
    Effect.gen(function* () {
      const seed = {
        customerId: snapshot.customerId,
        token: Redacted.make(""),
        source: AllowanceSource.layerMemory([snapshot]),
      }
      return Layer.mergeAll(Proxy.layer, Proxy.ops).pipe(
        Layer.provide(Ports.layer(yield* Ports.embedded, seed)),
        Layer.provide(Settings.layer),
      )
    }),
  ),
)
