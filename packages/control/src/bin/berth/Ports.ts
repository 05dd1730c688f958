/** Every port of every service: the real thing if its variable is given, else embedded, with the embedded one's pages. */
import { Opener, Sealer } from "@berth/domain/Seal"
import { layerMemory } from "@berth/operator/Cluster/Memory"
import * as OpenClaw from "@berth/operator/embedded/OpenClaw"
import { Lead } from "@berth/operator/Lead"
import * as ClusterKubernetes from "@berth/operator/live/ClusterKubernetes"
import { recordsNamespace } from "@berth/operator/Records"
import * as OperatorSettings from "@berth/operator/Settings"
import * as EmbeddedKimi from "@berth/proxy/embedded/Kimi"
import { Kimi } from "@berth/proxy/Kimi"
import * as ProxySettings from "@berth/proxy/Settings"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { realTelegram, Site } from "../../api/Site.ts"
import * as DevPages from "../../embedded/DevPages.ts"
import * as DurableStore from "../../embedded/DurableStore.ts"
import * as Mailbox from "../../embedded/Mailbox.ts"
import { StripeDouble } from "../../embedded/StripeDouble.ts"
import * as StripePages from "../../embedded/StripePages.ts"
import * as StripePayments from "../../embedded/StripePayments.ts"
import { TelegramDouble } from "../../embedded/TelegramDouble.ts"
import * as TelegramRoutes from "../../embedded/TelegramDouble/Routes.ts"
import * as MailSmtp from "../../live/MailSmtp.ts"
import * as PaymentsStripe from "../../live/PaymentsStripe.ts"
import * as TelegramGrammy from "../../live/TelegramGrammy.ts"
import * as Stores from "../Stores.ts"
import type { Keys } from "./Keys.ts"
import type { Settings } from "./Settings.ts"

/** What an embedded service accepted, kept across a kill. */
const kept = (settings: Settings, name: string) => DurableStore.layer(`${settings.folder}/embedded/${name}`)

/** Where links to Telegram lead. */
export const telegramLinks = ({ embedded, local }: Settings) =>
  embedded.telegram === undefined ? realTelegram : TelegramRoutes.telegramLinks(local)

const stripeReal = (publicUrl: string) =>
  Layer.unwrap(
    Effect.gen(function* () {
      return PaymentsStripe.layer({
        publicUrl,
        secretKey: yield* Config.Redacted("STRIPE_SECRET_KEY"),
        webhookSecret: yield* Config.Redacted("STRIPE_WEBHOOK_SECRET"),
      })
    }),
  )

const stripeEmbedded = (settings: Settings, webhookSecret: Redacted.Redacted<string>) =>
  StripePayments.layer({ publicUrl: settings.publicUrl.origin, webhookSecret }).pipe(
    Layer.provideMerge(
      StripeDouble.layer({
        webhookUrl: `${settings.local}/webhooks/stripe`,
        webhookSecret,
        pageUrl: `${settings.local}/dev/stripe/checkout`,
      }),
    ),
    Layer.provide([kept(settings, "stripe"), FetchHttpClient.layer]),
  )

const telegramEmbedded = (settings: Settings) =>
  Layer.unwrap(
    Effect.map(TelegramDouble, ({ platformToken }) =>
      TelegramGrammy.layer({ token: platformToken, apiRoot: TelegramRoutes.apiRoot(settings.local) }),
    ),
  ).pipe(Layer.provideMerge(TelegramDouble.layer), Layer.provide([kept(settings, "telegram"), FetchHttpClient.layer]))

const mailReal = Layer.unwrap(
  Effect.gen(function* () {
    return MailSmtp.layer({
      url: yield* Config.Redacted("SMTP_URL"),
      from: yield* Config.String("MAIL_FROM").pipe(Config.withDefault("Berth <hello@localhost>")),
    })
  }),
)

const mailEmbedded = (settings: Settings) =>
  Mailbox.Mailbox.mailer.pipe(Layer.provideMerge(Mailbox.Mailbox.layer), Layer.provide(kept(settings, "mail")))

const kimiEmbedded = (settings: Settings) =>
  EmbeddedKimi.layer.pipe(Layer.provideMerge(EmbeddedKimi.EmbeddedKimi.layer), Layer.provide(kept(settings, "kimi")))

/** The pods of the memory cluster reach the proxy and the embedded Telegram on this machine. */
const clusterEmbedded = (settings: Settings) =>
  Layer.unwrap(
    Effect.map(
      OpenClaw.process({
        hosts: { "token-proxy.platform.svc": `http://127.0.0.1:${settings.ports.proxy}` },
        ...(settings.embedded.telegram === undefined
          ? {}
          : { telegramApiRoot: TelegramRoutes.apiRoot(settings.local) }),
      }),
      (process) => layerMemory({ process }),
    ),
  ).pipe(Layer.provide(FetchHttpClient.layer), Layer.merge(Lead.layerMemory))

const clusterReal = Lead.layerLease(recordsNamespace).pipe(Layer.provideMerge(ClusterKubernetes.layer))

/** As the environment says, but for the public address, which follows `PORT` here. */
const proxySettings = ({ publicUrl }: Settings) =>
  Layer.effect(
    ProxySettings.Settings,
    Effect.map(ProxySettings.Settings, (read) => ({ ...read, publicUrl: publicUrl.origin })),
  ).pipe(Layer.provide(ProxySettings.Settings.layer))

/** All of them. What is embedded comes with its double, for the pages. */
export const layer = (settings: Settings, keys: Keys) => {
  const { embedded } = settings
  return Layer.mergeAll(
    Stores.layer(embedded),
    Site.layer(settings.publicUrl, telegramLinks(settings)),
    embedded.stripe === undefined ? stripeReal(settings.publicUrl.origin) : stripeEmbedded(settings, keys.webhook),
    embedded.telegram === undefined ? TelegramGrammy.layerConfig : telegramEmbedded(settings),
    embedded.mail === undefined ? mailReal : mailEmbedded(settings),
    embedded.kimi === undefined ? Kimi.layer : kimiEmbedded(settings),
    embedded.cluster === undefined ? clusterReal : clusterEmbedded(settings),
    OperatorSettings.Settings.layer,
    Opener.layer(keys.identity),
    Sealer.layer(keys.recipient),
  ).pipe(
    Layer.provideMerge(proxySettings(settings)),
    Layer.provideMerge(Layer.merge(NodeServices.layer, SecureRandom.layerWebCrypto)),
  )
}

/** The pages under `/dev` of what is embedded. */
export const pages = ({ embedded }: Settings) =>
  Layer.mergeAll(
    DevPages.loopbackOnly,
    DevPages.index(new Set(DevPages.places.filter((place) => embedded[place] !== undefined))),
    embedded.stripe === undefined ? Layer.empty : StripePages.layer,
    embedded.telegram === undefined ? Layer.empty : TelegramRoutes.routes,
    embedded.mail === undefined ? Layer.empty : Mailbox.pages,
    embedded.kimi === undefined ? Layer.empty : DevPages.kimi,
    embedded.cluster === undefined ? Layer.empty : DevPages.cluster,
  )
