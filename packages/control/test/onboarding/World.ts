/** The onboarding service on a real Postgres, with the embedded Telegram over HTTP and a payment page of one line. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Sealer } from "@berth/domain/Seal"
import { generateX25519Identity, identityToRecipient } from "age-encryption"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Ref from "effect/Ref"
import { Checkout, PaymentsUnavailable } from "../../src/billing/Checkout.ts"
import { TelegramDouble } from "../../src/embedded/TelegramDouble.ts"
import { apiRoot, routes as telegramRoutes } from "../../src/embedded/TelegramDouble/Routes.ts"
import * as TelegramGrammy from "../../src/live/TelegramGrammy.ts"
import { Provisioning } from "../../src/onboarding/Provisioning.ts"
import * as Onboarding from "../../src/onboarding/Server.ts"
import { stores } from "../api/World.ts"

export const alice = { id: 4242, username: "alice", first_name: "Alice" }

/** Whether the payment page opens now. */
export class PaymentsUp extends Context.Service<PaymentsUp, Ref.Ref<boolean>>()("test/PaymentsUp") {}

const checkout = Layer.effect(
  Checkout,
  Effect.gen(function* () {
    const isUp = yield* PaymentsUp
    return Checkout.of({
      open: (_accountId, orderId) =>
        Effect.flatMap(Ref.get(isUp), (up) =>
          up
            ? Effect.succeed({ url: `https://pay.example/${orderId}` })
            : Effect.fail(new PaymentsUnavailable({ operation: "open", cause: "down" })),
        ),
    })
  }),
).pipe(Layer.provideMerge(Layer.effect(PaymentsUp, Ref.make(true))))

const sealer = Layer.unwrap(
  Effect.promise(async () => Sealer.layer(await identityToRecipient(await generateX25519Identity()))),
)

/** The double on a port of its own, and grammY's client of it. */
const telegram = Layer.unwrap(
  Effect.gen(function* () {
    const double = yield* TelegramDouble
    const server = yield* Layer.build(
      HttpRouter.serve(telegramRoutes, { disableLogger: true, disableListenLog: true }).pipe(
        Layer.provideMerge(Layer.fresh(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))),
      ),
    )
    const origin = HttpServer.formatAddress(Context.get(server, HttpServer.HttpServer).address)
    return TelegramGrammy.layer({ token: double.platformToken, apiRoot: apiRoot(origin) })
  }),
).pipe(Layer.provideMerge(TelegramDouble.layer), Layer.provide(KeyValueStore.layerMemory))

/** All that the services need but a `Wording`. */
export const ports = Layer.mergeAll(telegram, checkout, sealer, Provisioning.layerNone).pipe(Layer.provideMerge(stores))

export const services = Onboarding.services
