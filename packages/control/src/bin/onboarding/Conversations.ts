/** What a conversation stands on when onboarding runs alone: its stores, Telegram, Stripe, words, and the way to the api. */
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Billing from "../../billing/Billing.ts"
import { Checkout } from "../../billing/Checkout.ts"
import { Provisioning } from "../../onboarding/Provisioning.ts"
import * as Onboarding from "../../onboarding/Server.ts"
import * as Keys from "../Keys.ts"
import * as Payments from "../Payments.ts"
import * as Place from "../Place.ts"
import * as Stores from "../Stores.ts"
import * as Telegram from "../Telegram.ts"
import * as Words from "../Words.ts"

export const connections = ["postgres", "redis", "stripe", "telegram", "words", "seal", "provision", "address"] as const

const provisioning = Layer.unwrap(Effect.map(LocalFolder.serviceToken, Provisioning.layerConfig)).pipe(
  Layer.provide(FetchHttpClient.layer),
)

export const layer = (place: Place.Place<(typeof connections)[number]>) =>
  Layer.merge(Onboarding.services, provisioning).pipe(
    Layer.provide(Layer.merge(Checkout.layer, Words.layer(place))),
    Layer.provide(Billing.purchases),
    Layer.provideMerge(
      Layer.mergeAll(Stores.layer(place), Place.site(place), Telegram.layer(place), Payments.layer(place), Keys.sealer),
    ),
  )
