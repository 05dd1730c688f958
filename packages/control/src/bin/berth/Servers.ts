/** The six services on their servers: web, api, onboarding and billing on one port, the proxy, the internal API and ops on theirs. */
import * as Listen from "@berth/domain/Listen"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as Ops from "@berth/domain/Ops"
import * as Inspect from "@berth/operator/Inspect"
import { Observing } from "@berth/operator/Observing"
import * as Operator from "@berth/operator/Operator"
import { Volumes } from "@berth/operator/Volumes"
import * as Proxy from "@berth/proxy/Proxy"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Api from "../../api/Server.ts"
import * as Billing from "../../billing/Billing.ts"
import { Checkout } from "../../billing/Checkout.ts"
import * as InternalCustomer from "../../onboarding/InternalCustomer.ts"
import { Provisioning } from "../../onboarding/Provisioning.ts"
import * as Onboarding from "../../onboarding/Server.ts"
import * as WebBundle from "../../pages/WebBundle.ts"
import * as WebRoutes from "../../pages/WebRoutes.ts"
import { JobOutbox } from "../../provision/JobOutbox.ts"
import * as ProvisionRoutes from "../../provision/ProvisionRoutes.ts"
import * as Keys from "../Keys.ts"
import * as Words from "../Words.ts"
import * as Ports from "./Ports.ts"
import type { Settings } from "./Settings.ts"

/** The conversation's words, through our own proxy as its internal customer. */
const words = ({ proxyUrl }: Settings) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const given = yield* Config.option(Config.Redacted("ONBOARDING_PROXY_TOKEN"))
      return yield* Words.through(proxyUrl, Option.isSome(given) ? given.value : yield* InternalCustomer.mintToken)
    }),
  ).pipe(Layer.provide(Billing.purchases))

/** Onboarding asks the control plane as it does where they are two processes: over HTTP. */
const provisioning = ({ internalUrl }: Settings) =>
  Layer.unwrap(Effect.map(LocalFolder.serviceToken, (token) => Provisioning.layer({ url: internalUrl, token }))).pipe(
    Layer.provide(FetchHttpClient.layer),
  )

const onboarding = (settings: Settings) =>
  Onboarding.services.pipe(
    Layer.provide(words(settings)),
    Layer.provide(Checkout.layer.pipe(Layer.provide(Billing.purchases))),
    Layer.merge(provisioning(settings)),
  )

/** The api looks at agents through the operator of this process. */
const inspection = Inspect.layer.pipe(Layer.provide(Volumes.layer), Layer.provide(Observing.layer))

/** A memory cluster is empty at each start, and so is the queue towards it: every agent is sent again. */
const refill = Layer.effectDiscard(JobOutbox.use(({ allAgain }) => allAgain)).pipe(Layer.provide(JobOutbox.layer))

/**
 * Serves first: workers and pods of this process call its own servers. Nothing of a server's context goes on, or the next
 * one would find its router there and share its routes.
 */
const before = <A, E, R>(servers: Layer.Layer<A, E, R>) => Layer.effectDiscard(Layer.build(servers))

/** What still hangs here after a second of draining is a WebSocket or a long poll of the embedded Telegram. */
const drain = "1 second"

export const layer = (settings: Settings) => {
  const { embedded, ports, port, publicUrl, telegram, variable } = settings
  // The pages are built, if they are missing or older than their sources, before anything listens.
  const web = Layer.unwrap(
    Effect.map(WebBundle.ensure, ({ root }) =>
      Listen.serve(
        Layer.mergeAll(WebRoutes.layer(root), Api.routes, Onboarding.routes, Billing.routes, Ports.pages(settings)),
        { variable, port, drain },
      ),
    ),
  )
  const provision = ProvisionRoutes.layer.pipe(Layer.provide([Billing.purchases, Keys.serviceBearer]))
  const servers = Layer.mergeAll(
    web,
    Listen.serve(provision, { variable: "INTERNAL_PORT", port: ports.internal, drain }),
    Proxy.layer,
    Ops.layer({ variable: "OPS_PORT", port: ports.ops, ready: Api.ready }),
  )
  const workers = Layer.mergeAll(
    Onboarding.workers,
    Billing.layer({ publicUrl: publicUrl.origin, telegram }),
    Operator.layer,
    embedded.cluster === undefined ? Layer.empty : refill,
  )
  return workers.pipe(Layer.provide(before(servers)), Layer.provide(inspection), Layer.provide(onboarding(settings)))
}
