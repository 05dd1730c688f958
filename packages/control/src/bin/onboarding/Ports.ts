/** Picks each port of onboarding: the real thing if its variable is given, else embedded; in production only the real thing. */
import * as Embedded from "@berth/domain/Embedded"
import { Refused } from "@berth/domain/Launch"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { realTelegram, Site } from "../../api/Site.ts"
import * as DurableStore from "../../embedded/DurableStore.ts"
import { TelegramDouble } from "../../embedded/TelegramDouble.ts"
import * as TelegramRoutes from "../../embedded/TelegramDouble/Routes.ts"
import * as KimiLanguageModel from "../../live/KimiLanguageModel.ts"
import * as TelegramGrammy from "../../live/TelegramGrammy.ts"
import * as InternalCustomer from "../../onboarding/InternalCustomer.ts"
import { Wording } from "../../onboarding/Wording.ts"
import * as LocalKeys from "../LocalKeys.ts"
import * as Payments from "../Payments.ts"
import * as Stores from "../Stores.ts"

const variables = {
  postgres: "DATABASE_URL",
  redis: "REDIS_URL",
  stripe: "STRIPE_SECRET_KEY",
  telegram: "TELEGRAM_BOT_TOKEN",
  seal: "OPERATOR_AGE_RECIPIENT",
  words: "ONBOARDING_PROXY_URL",
} as const

export const settings = Effect.gen(function* () {
  const embedded = yield* Embedded.read(variables)
  yield* Payments.companion
  const port = yield* Config.Port("ONBOARDING_PORT").pipe(Config.withDefault(3002))
  const host = yield* Config.String("HOST").pipe(Config.withDefault("127.0.0.1"))
  const token = yield* Config.option(Config.Redacted("ONBOARDING_PROXY_TOKEN"))
  if (embedded.words === undefined && Option.isNone(token))
    return yield* new Refused({ message: "ONBOARDING_PROXY_URL is given, so ONBOARDING_PROXY_TOKEN is needed too." })
  const local = `http://127.0.0.1:${port}`
  const publicUrl = yield* Config.URL("PUBLIC_URL").pipe(Config.withDefault(new URL(local)))
  const folder = yield* Stores.folder
  const keys = yield* LocalKeys.read(embedded, folder)
  const webhookSecret = embedded.stripe === undefined ? undefined : keys?.webhook
  const payments = { webhookSecret, publicUrl: publicUrl.origin, local, folder }
  return { embedded, port, host, local, publicUrl, folder, keys, payments, token }
})
export type Settings = Effect.Success<typeof settings>

const telegramEmbedded = ({ folder, local }: Settings) =>
  Layer.unwrap(
    Effect.map(TelegramDouble, ({ platformToken }) =>
      TelegramGrammy.layer({ token: platformToken, apiRoot: TelegramRoutes.apiRoot(local) }),
    ),
  ).pipe(
    Layer.provideMerge(TelegramDouble.layer),
    Layer.provide([DurableStore.layer(`${folder}/embedded/telegram`), FetchHttpClient.layer]),
  )

/** Words by Kimi through the token-proxy, as a customer of our own; without it replies are plain. Needs Billing.purchases. */
export const wording = ({ embedded, token }: Settings) =>
  embedded.words !== undefined || Option.isNone(token)
    ? Wording.layerPlain
    : Layer.unwrap(
        Effect.gen(function* () {
          const url = yield* Config.String("ONBOARDING_PROXY_URL")
          yield* InternalCustomer.ensure(token.value)
          return Wording.layer.pipe(Layer.provide(KimiLanguageModel.layer({ url, token: token.value })))
        }),
      ).pipe(Layer.provide(FetchHttpClient.layer))

export const layer = (settings: Settings) => {
  const { embedded, keys, local, payments, publicUrl } = settings
  const isReal = embedded.telegram === undefined
  return Layer.mergeAll(
    Stores.layer(embedded),
    Site.layer(publicUrl, isReal ? realTelegram : TelegramRoutes.telegramLinks(local)),
    isReal ? TelegramGrammy.layerConfig : telegramEmbedded(settings),
    Payments.layer(payments),
    LocalKeys.sealer(keys),
    SecureRandom.layerWebCrypto,
  ).pipe(Layer.provideMerge(NodeServices.layer))
}

/** The pages under `/dev` of what is embedded. */
export const pages = ({ embedded, payments }: Settings) =>
  Layer.mergeAll(embedded.telegram === undefined ? Layer.empty : TelegramRoutes.routes, Payments.pages(payments))
