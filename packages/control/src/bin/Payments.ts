/** Stripe: the real one if `STRIPE_SECRET_KEY` is given, else the double, with its pages, whose webhooks billing hears. */
import { Refused } from "@berth/domain/Launch"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { StripeDouble } from "../embedded/StripeDouble.ts"
import * as StripePages from "../embedded/StripePages.ts"
import * as StripePayments from "../embedded/StripePayments.ts"
import * as PaymentsStripe from "../live/PaymentsStripe.ts"
import * as Place from "./Place.ts"

/** One, or two while it is rotated, with a comma between them. */
const webhookSecrets = Effect.gen(function* () {
  const given = yield* Config.Redacted("STRIPE_WEBHOOK_SECRET")
  const secrets = Redacted.value(given)
    .split(",")
    .map((secret) => secret.trim())
    .filter((secret) => secret !== "")
  if (secrets.length === 0)
    return yield* new Refused({ message: "STRIPE_WEBHOOK_SECRET holds no secret: give the endpoint's, whsec_…" })
  return secrets.map((secret) => Redacted.make(secret))
})

const real = ({ publicUrl }: Place.Place) =>
  Layer.unwrap(
    Effect.gen(function* () {
      return PaymentsStripe.layer({
        publicUrl: publicUrl.origin,
        secretKey: yield* Config.Redacted("STRIPE_SECRET_KEY"),
        webhookSecrets: yield* webhookSecrets,
        automaticTax: yield* Config.Boolean("STRIPE_AUTOMATIC_TAX").pipe(Config.withDefault(false)),
        promotionCodes: yield* Config.Boolean("STRIPE_PROMOTION_CODES").pipe(Config.withDefault(false)),
      })
    }),
  )

const double = (place: Place.Place) =>
  Layer.unwrap(
    Effect.gen(function* () {
      const webhookSecret = yield* LocalFolder.webhookSecret
      const [webhookUrl, pageUrl] = [`${place.billing}/webhooks/stripe`, `${place.local}/dev/stripe/checkout`]
      return StripePayments.layer({ publicUrl: place.publicUrl.origin, webhookSecret }).pipe(
        Layer.provideMerge(StripeDouble.layer({ webhookUrl, webhookSecret, pageUrl })),
        Layer.provide([Place.kept(place, "stripe"), FetchHttpClient.layer]),
      )
    }),
  )

export const layer = (place: Place.Place<"stripe">) =>
  place.embedded.stripe === undefined ? real(place) : double(place)

export const pages = ({ embedded }: Place.Place<"stripe">) =>
  embedded.stripe === undefined ? Layer.empty : StripePages.layer
