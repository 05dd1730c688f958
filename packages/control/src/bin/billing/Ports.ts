/** Picks each port of billing: the real thing if its variable is given, else embedded; in production only the real thing. */
import * as Embedded from "@berth/domain/Embedded"
import { Refused } from "@berth/domain/Launch"
import { Sealer } from "@berth/domain/Seal"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as DurableStore from "../../embedded/DurableStore.ts"
import * as Mailbox from "../../embedded/Mailbox.ts"
import { StripeDouble } from "../../embedded/StripeDouble.ts"
import * as StripePages from "../../embedded/StripePages.ts"
import * as StripePayments from "../../embedded/StripePayments.ts"
import * as MailSmtp from "../../live/MailSmtp.ts"
import * as PaymentsStripe from "../../live/PaymentsStripe.ts"
import * as Keys from "../berth/Keys.ts"
import * as Stores from "../Stores.ts"

const variables = {
  postgres: "DATABASE_URL",
  redis: "REDIS_URL",
  stripe: "STRIPE_SECRET_KEY",
  mail: "SMTP_URL",
  seal: "OPERATOR_AGE_RECIPIENT",
} as const

/** Control seals and never opens, so it is given the public key alone; what is embedded makes keys of its own. */
const secrets = Effect.fn("Ports.secrets")(function* (embedded: Record<"stripe" | "seal", unknown>, folder: string) {
  const given = {
    recipient: Config.String("OPERATOR_AGE_RECIPIENT"),
    webhookSecret: Config.Redacted("STRIPE_WEBHOOK_SECRET"),
  }
  if (embedded.stripe === undefined && embedded.seal === undefined) return yield* Config.all(given)
  const keys = yield* Keys.read(folder)
  return {
    recipient: embedded.seal === undefined ? yield* given.recipient : keys.recipient,
    webhookSecret: keys.webhook,
  }
})

export const settings = Effect.gen(function* () {
  const embedded = yield* Embedded.read(variables)
  if (embedded.stripe === undefined && !(yield* Embedded.isGiven("STRIPE_WEBHOOK_SECRET")))
    return yield* new Refused({ message: "STRIPE_SECRET_KEY is given, so STRIPE_WEBHOOK_SECRET is needed too." })
  const port = yield* Config.Port("BILLING_PORT").pipe(Config.withDefault(3003))
  const local = `http://127.0.0.1:${port}`
  const publicUrl = yield* Config.URL("PUBLIC_URL").pipe(Config.withDefault(new URL(local)))
  const folder = yield* Stores.folder
  return { embedded, port, local, publicUrl: publicUrl.origin, folder, ...(yield* secrets(embedded, folder)) }
}).pipe(Effect.provide(NodeServices.layer))
export type Settings = Effect.Success<typeof settings>

const stripeReal = ({ publicUrl, webhookSecret }: Settings) =>
  Layer.unwrap(
    Effect.map(Config.Redacted("STRIPE_SECRET_KEY"), (secretKey) =>
      PaymentsStripe.layer({ publicUrl, secretKey, webhookSecret }),
    ),
  )

const stripeEmbedded = ({ publicUrl, webhookSecret, local, folder }: Settings) => {
  const [webhookUrl, pageUrl] = [`${local}/webhooks/stripe`, `${local}/dev/stripe/checkout`]
  return StripePayments.layer({ publicUrl, webhookSecret }).pipe(
    Layer.provideMerge(StripeDouble.layer({ webhookUrl, webhookSecret, pageUrl })),
    Layer.provide([DurableStore.layer(`${folder}/embedded/stripe`), FetchHttpClient.layer]),
  )
}

const mailReal = Layer.unwrap(
  Effect.gen(function* () {
    return MailSmtp.layer({ url: yield* Config.Redacted("SMTP_URL"), from: yield* Config.String("MAIL_FROM") })
  }),
)

const mailEmbedded = (folder: string) =>
  Mailbox.Mailbox.mailer.pipe(
    Layer.provideMerge(Mailbox.Mailbox.layer),
    Layer.provide(DurableStore.layer(`${folder}/embedded/mail`)),
  )

export const layer = (settings: Settings) =>
  Layer.mergeAll(
    Stores.layer(settings.embedded),
    settings.embedded.stripe === undefined ? stripeReal(settings) : stripeEmbedded(settings),
    settings.embedded.mail === undefined ? mailReal : mailEmbedded(settings.folder),
    Sealer.layer(settings.recipient),
    SecureRandom.layerWebCrypto,
  ).pipe(Layer.provide(NodeServices.layer))

export const pages = ({ embedded }: Settings) =>
  Layer.mergeAll(
    embedded.stripe === undefined ? Layer.empty : StripePages.layer,
    embedded.mail === undefined ? Layer.empty : Mailbox.pages,
  )
