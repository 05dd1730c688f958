/** The six services on their servers: web, api, onboarding and billing on one port, the proxy, the internal API and ops on theirs. */
import { createServer } from "node:http"
import * as Ops from "@berth/domain/Ops"
import * as Operator from "@berth/operator/Operator"
import * as Proxy from "@berth/proxy/Proxy"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Api from "../../api/Server.ts"
import * as Billing from "../../billing/Billing.ts"
import { Checkout } from "../../billing/Checkout.ts"
import * as KimiLanguageModel from "../../live/KimiLanguageModel.ts"
import * as InternalCustomer from "../../onboarding/InternalCustomer.ts"
import { Provisioning } from "../../onboarding/Provisioning.ts"
import * as Onboarding from "../../onboarding/Server.ts"
import { Wording } from "../../onboarding/Wording.ts"
import * as WebBundle from "../../pages/WebBundle.ts"
import * as WebRoutes from "../../pages/WebRoutes.ts"
import * as AgentReports from "../../provision/AgentReports.ts"
import * as ProvisionRoutes from "../../provision/ProvisionRoutes.ts"
import type { Keys } from "./Keys.ts"
import * as Ports from "./Ports.ts"
import type { Settings } from "./Settings.ts"

const quiet = { disableLogger: true, disableListenLog: true }

/** What still hangs on this server after a second of draining is a WebSocket or a long poll of the embedded Telegram. */
const listen = (port: number) =>
  NodeHttpServer.layer(createServer, { port, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })

/** The conversation's words, through our own proxy as its internal customer. */
const wording = (settings: Settings, keys: Keys) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const token = Option.isSome(keys.onboarding) ? keys.onboarding.value : yield* InternalCustomer.mintToken
      yield* InternalCustomer.ensure(token)
      return Wording.layer.pipe(Layer.provide(KimiLanguageModel.layer({ url: settings.proxyUrl, token })))
    }),
  ).pipe(Layer.provide([Billing.purchases, FetchHttpClient.layer]))

/** Onboarding asks the control plane as it does where they are two processes: over HTTP. */
const provisioning = ({ ports }: Settings, { service }: Keys) =>
  Provisioning.layer({ url: `http://127.0.0.1:${ports.internal}`, token: service }).pipe(
    Layer.provide(FetchHttpClient.layer),
  )

const onboarding = (settings: Settings, keys: Keys) =>
  Onboarding.services.pipe(
    Layer.provide(wording(settings, keys)),
    Layer.provide(Checkout.layer.pipe(Layer.provide(Billing.purchases))),
    Layer.merge(provisioning(settings, keys)),
  )

/** A memory cluster is empty at each start: every agent is sent again. */
const refill = Layer.effectDiscard(AgentReports.wakeSilent(0))

/**
 * Serves first: workers and pods of this process call its own servers. Nothing of a server's context goes on, or the next
 * one would find its router there and share its routes.
 */
const before = <A, E, R>(servers: Layer.Layer<A, E, R>) => Layer.effectDiscard(Layer.build(servers))

export const layer = (settings: Settings, keys: Keys) => {
  const { ports, publicUrl } = settings
  // The pages are built, if they are missing or older than their sources, before anything listens.
  const web = Layer.unwrap(
    Effect.map(WebBundle.ensure, ({ root }) =>
      HttpRouter.serve(
        Layer.mergeAll(WebRoutes.layer(root), Api.routes, Onboarding.routes, Billing.routes, Ports.pages(settings)),
        quiet,
      ).pipe(Layer.provide(listen(ports.web))),
    ),
  )
  const provision = HttpRouter.serve(
    ProvisionRoutes.layer.pipe(Layer.provide([Billing.purchases, ProvisionRoutes.bearerLayer(keys.service)])),
    quiet,
  ).pipe(Layer.provide(listen(ports.internal)))
  const servers = Layer.mergeAll(
    web,
    provision,
    Proxy.layer,
    Ops.layer({ variable: "OPS_PORT", port: ports.ops, ready: Api.ready }),
  )
  const workers = Layer.mergeAll(
    Onboarding.workers,
    Billing.layer({ publicUrl: publicUrl.origin, telegram: Ports.telegramLinks(settings) }),
    Operator.layer,
    settings.embedded.cluster === undefined ? Layer.empty : refill,
  )
  return workers.pipe(Layer.provide(before(servers)), Layer.provide(onboarding(settings, keys)))
}
