/**
 * Onboarding's way to the control plane: `POST /provision` on the internal port, with the service bearer. It never fails:
 * what could not be asked is `unavailable`, nothing is lost by it, and Stripe's webhook starts the agent all the same.
 */
import type { OrderId } from "@berth/domain/Ids"
import * as Cache from "effect/Cache"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { InternalApi } from "../provision/ProvisionApi.ts"

export type Outcome =
  /** The order is paid and its agent is on its way, or long there: the job is the same on every repeat. */
  | { readonly _tag: "accepted"; readonly jobId: string }
  /** Not paid as far as is known; asking again later may tell otherwise. */
  | { readonly _tag: "unpaid" }
  | { readonly _tag: "unavailable" }

export interface Options {
  /** Origin of the internal port, e.g. `http://127.0.0.1:3011`. */
  readonly url: string
  readonly token: Redacted.Redacted<string>
}

/** An open order costs a look-up at Stripe, so an order is asked for once in this time, however often its owner asks. */
const calm = "1 second"

const unavailable: Outcome = { _tag: "unavailable" }

const make = Effect.fn("Provisioning.make")(function* ({ token, url }: Options) {
  const client = yield* HttpApiClient.make(InternalApi, {
    baseUrl: url,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(Redacted.value(token))),
  })
  const ask = Effect.fn("Provisioning.ask")((orderId: OrderId) =>
    client.provision.provision({ payload: { orderId } }).pipe(
      Effect.timeout("20 seconds"),
      Effect.map(({ jobId }): Outcome => ({ _tag: "accepted", jobId })),
      Effect.catchTag("Conflict", () => Effect.succeed<Outcome>({ _tag: "unpaid" })),
      Effect.catch(({ _tag }) => Effect.as(Effect.logError("POST /provision failed", { orderId, _tag }), unavailable)),
    ),
  )
  const answers = yield* Cache.make({ capacity: 10_000, timeToLive: calm, lookup: ask })
  return Provisioning.of({ provision: (orderId) => Cache.get(answers, orderId) })
})

export class Provisioning extends Context.Service<
  Provisioning,
  {
    /** Asks for the agent of an order. Whatever calls and webhooks come, it is started once. */
    provision(orderId: OrderId): Effect.Effect<Outcome>
  }
>()("@berth/control/Provisioning") {
  static readonly layer = (options: Options): Layer.Layer<Provisioning, never, HttpClient.HttpClient> =>
    Layer.effect(Provisioning, make(options))

  /** Asks nobody: the webhook alone starts agents. */
  static readonly layerNone: Layer.Layer<Provisioning> = Layer.succeed(Provisioning)({
    provision: () => Effect.succeed(unavailable),
  })

  /** Reads `INTERNAL_URL` and `SERVICE_TOKEN`; `local` is the token of a machine that made its own. */
  static readonly layerConfig = (
    local?: Redacted.Redacted<string>,
  ): Layer.Layer<Provisioning, Config.ConfigError, HttpClient.HttpClient> =>
    Layer.unwrap(
      Effect.gen(function* () {
        const url = yield* Config.URL("INTERNAL_URL").pipe(Config.withDefault(new URL("http://127.0.0.1:3011")))
        const token = local ?? Option.getOrUndefined(yield* Config.option(Config.Redacted("SERVICE_TOKEN")))
        if (token !== undefined) return Provisioning.layer({ url: url.origin, token })
        yield* Effect.logWarning("SERVICE_TOKEN is not given, so Stripe's webhook alone starts agents")
        return Provisioning.layerNone
      }),
    )
}
