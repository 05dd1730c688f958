/** The conversation's words: by Kimi through a token-proxy, where Berth is a customer like others, or plain ones. */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Billing from "../billing/Billing.ts"
import * as KimiLanguageModel from "../live/KimiLanguageModel.ts"
import * as InternalCustomer from "../onboarding/InternalCustomer.ts"
import { Wording } from "../onboarding/Wording.ts"
import type { Place } from "./Place.ts"

/** Through the proxy at `url`, ending in `/v1`; the token is made its customer's own. */
export const through = Effect.fn("Words.through")(function* (url: string, token: Redacted.Redacted<string>) {
  yield* InternalCustomer.ensure(token)
  return Wording.layer.pipe(
    Layer.provide(KimiLanguageModel.layer({ url, token })),
    Layer.provide(FetchHttpClient.layer),
  )
})

const given = Layer.unwrap(
  Effect.gen(function* () {
    const url = yield* Config.String("ONBOARDING_PROXY_URL")
    return yield* through(url, yield* Config.Redacted("ONBOARDING_PROXY_TOKEN"))
  }),
).pipe(Layer.provide(Billing.purchases))

/** Through `ONBOARDING_PROXY_URL`; plain words without it. */
export const layer = ({ embedded }: Place<"words">) => (embedded.words === undefined ? given : Wording.layerPlain)
