/** Stripe for a service that opens or looks up checkouts: real if `STRIPE_SECRET_KEY` is given, else the double. */
import { Refused } from "@berth/domain/Launch"
import * as Embedded from "@berth/domain/Embedded"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as DurableStore from "../embedded/DurableStore.ts"
import { StripeDouble } from "../embedded/StripeDouble.ts"
import * as StripePages from "../embedded/StripePages.ts"
import * as StripePayments from "../embedded/StripePayments.ts"
import * as PaymentsStripe from "../live/PaymentsStripe.ts"

export interface Options {
  /** Signs the webhooks of the double; undefined for the real Stripe. */
  readonly webhookSecret: Redacted.Redacted<string> | undefined
  /** Origins as customers and as this machine see them. */
  readonly publicUrl: string
  readonly local: string
  readonly folder: string
}

/** A key without the secret of its webhooks would charge and never hear of it. */
export const companion = Effect.gen(function* () {
  if ((yield* Embedded.isGiven("STRIPE_SECRET_KEY")) && !(yield* Embedded.isGiven("STRIPE_WEBHOOK_SECRET")))
    return yield* new Refused({ message: "STRIPE_SECRET_KEY is given, so STRIPE_WEBHOOK_SECRET is needed too." })
})

const real = ({ publicUrl }: Options) =>
  Layer.unwrap(
    Effect.gen(function* () {
      return PaymentsStripe.layer({
        publicUrl,
        secretKey: yield* Config.Redacted("STRIPE_SECRET_KEY"),
        webhookSecret: yield* Config.Redacted("STRIPE_WEBHOOK_SECRET"),
      })
    }),
  )

const double = ({ folder, local, publicUrl }: Options, webhookSecret: Redacted.Redacted<string>) => {
  const [webhookUrl, pageUrl] = [`${local}/webhooks/stripe`, `${local}/dev/stripe/checkout`]
  return StripePayments.layer({ publicUrl, webhookSecret }).pipe(
    Layer.provideMerge(StripeDouble.layer({ webhookUrl, webhookSecret, pageUrl })),
    Layer.provide([DurableStore.layer(`${folder}/embedded/stripe`), FetchHttpClient.layer]),
  )
}

export const layer = (options: Options) =>
  options.webhookSecret === undefined ? real(options) : double(options, options.webhookSecret)

export const pages = ({ webhookSecret }: Options) => (webhookSecret === undefined ? Layer.empty : StripePages.layer)
