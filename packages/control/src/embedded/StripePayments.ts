/**
 * Payments over the embedded Stripe. Its API listens on a loopback port of its own, because the real client, which talks to
 * it as it would to Stripe, knows no path prefix; only the pages stand on the main server.
 */
import { randomBytes } from "node:crypto"
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Payments } from "../billing/Payments.ts"
import * as PaymentsStripe from "../live/PaymentsStripe.ts"
import { StripeDouble } from "./StripeDouble.ts"
import { routes } from "./StripeDouble/ApiRoutes.ts"

export interface Options {
  readonly publicUrl: string
  readonly webhookSecret: Redacted.Redacted<string>
}

export const layer = ({ publicUrl, webhookSecret }: Options): Layer.Layer<Payments, ServeError, StripeDouble> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const double = yield* StripeDouble
      const secretKey = Redacted.make(`sk_test_${randomBytes(18).toString("hex")}`)
      const client = Layer.effect(
        Payments,
        Effect.gen(function* () {
          const { address } = yield* HttpServer.HttpServer
          if (address._tag !== "InetAddressV4") return yield* Effect.die("the embedded Stripe listens on no port")
          const server = { host: "127.0.0.1", port: address.port }
          return PaymentsStripe.make({ secretKey, webhookSecrets: [webhookSecret], publicUrl, server })
        }),
      )
      const api = HttpRouter.serve(routes(double, secretKey), { disableLogger: true, disableListenLog: true })
      // Provided, not merged: a served router's context must not reach the layers around it, or they would share its routes.
      return client.pipe(
        Layer.provide(api),
        Layer.provide(
          NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", disablePreemptiveShutdown: true }),
        ),
      )
    }),
  )
