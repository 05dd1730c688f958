/** Picks each port of the api: the real thing if its variable is given, else embedded; in production only the real thing. */
import * as Embedded from "@berth/domain/Embedded"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { realTelegram, Site } from "../../api/Site.ts"
import { telegramLinks } from "../../embedded/TelegramDouble/Routes.ts"
import * as LocalKeys from "../LocalKeys.ts"
import * as Payments from "../Payments.ts"
import * as Stores from "../Stores.ts"

const variables = {
  postgres: "DATABASE_URL",
  redis: "REDIS_URL",
  stripe: "STRIPE_SECRET_KEY",
  telegram: "TELEGRAM_BOT_TOKEN",
  seal: "OPERATOR_AGE_RECIPIENT",
  provision: "SERVICE_TOKEN",
} as const

export const settings = Effect.gen(function* () {
  const embedded = yield* Embedded.read(variables)
  yield* Payments.companion
  const { onboardingPort, ...ports } = yield* Config.all({
    port: Config.Port("API_PORT").pipe(Config.withDefault(3001)),
    internalPort: Config.Port("INTERNAL_PORT").pipe(Config.withDefault(3011)),
    host: Config.String("HOST").pipe(Config.withDefault("127.0.0.1")),
    onboardingPort: Config.Port("ONBOARDING_PORT").pipe(Config.withDefault(3002)),
  })
  const local = `http://127.0.0.1:${ports.port}`
  const publicUrl = yield* Config.URL("PUBLIC_URL").pipe(Config.withDefault(new URL(local)))
  const folder = yield* Stores.folder
  const keys = yield* LocalKeys.read(embedded, folder)
  const webhookSecret = embedded.stripe === undefined ? undefined : keys?.webhook
  const payments = { webhookSecret, publicUrl: publicUrl.origin, local, folder }
  return {
    embedded,
    ...ports,
    local,
    publicUrl,
    folder,
    keys,
    payments,
    telegramAt: `http://127.0.0.1:${onboardingPort}`,
  }
})
export type Settings = Effect.Success<typeof settings>

export const layer = ({ embedded, keys, payments, publicUrl, telegramAt }: Settings) =>
  Layer.mergeAll(
    Stores.layer(embedded),
    Site.layer(publicUrl, embedded.telegram === undefined ? realTelegram : telegramLinks(telegramAt)),
    Payments.layer(payments),
    LocalKeys.sealer(keys),
    SecureRandom.layerWebCrypto,
  ).pipe(Layer.provideMerge(NodeServices.layer))
