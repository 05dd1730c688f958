/**
 * Where a service of control runs, read once from the environment: which of its connections are embedded, its own port, its
 * addresses, and its neighbours on this machine. Whatever is embedded keeps its data in one folder, which must be writable.
 */
import * as Embedded from "@berth/domain/Embedded"
import * as Listen from "@berth/domain/Listen"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { realTelegram, Site } from "../api/Site.ts"
import * as DurableStore from "../embedded/DurableStore.ts"
import { telegramLinks } from "../embedded/TelegramDouble/Routes.ts"

/** Each connection, and the variables that make it real. */
export const variables = {
  postgres: "DATABASE_URL",
  redis: "REDIS_URL",
  kimi: "KIMI_API_KEY",
  stripe: ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"],
  telegram: "TELEGRAM_BOT_TOKEN",
  mail: "SMTP_URL",
  cluster: ["KUBECONFIG", "OPENCLAW_IMAGE", "EXPORTER_IMAGE"],
  /** The conversation's words, by Kimi through the token-proxy. */
  words: ["ONBOARDING_PROXY_URL", "ONBOARDING_PROXY_TOKEN"],
  /** Control's half of the key pair for the pods' secrets, and the operator's. */
  seal: "OPERATOR_AGE_RECIPIENT",
  identity: "OPERATOR_AGE_IDENTITY",
  /** Where the data of deleted agents is kept, what opens it, and what signs the links to it. */
  exports: "EXPORT_URL",
  opener: "EXPORT_AGE_IDENTITY",
  links: "EXPORT_LINK_KEY",
  /** `POST /provision`, for who serves it and for who calls it. */
  bearer: "SERVICE_TOKEN",
  provision: ["INTERNAL_URL", "SERVICE_TOKEN"],
  /** How agents do, asked of the operator. */
  inspection: ["OPERATOR_URL", "OPERATOR_TOKEN"],
  /** How customers reach Berth. */
  address: "PUBLIC_URL",
} as const
export type Connection = keyof typeof variables

export interface Neighbours {
  /** Serves the embedded Telegram. */
  readonly onboarding: string
  /** Hears the embedded Stripe. */
  readonly billing: string
}

const around = Effect.fnUntraced(function* <C extends Connection>(
  connections: ReadonlyArray<C>,
  variable: string,
  byDefault: number,
  neighbours: (local: string) => Neighbours,
) {
  const own = Object.fromEntries(connections.map((name) => [name, variables[name]])) as Pick<typeof variables, C>
  const embedded: Embedded.EmbeddedPorts<C> = yield* Embedded.read<C>(own)
  const isEmbedded = Object.values(embedded).some((missing) => missing !== undefined)
  const folder = isEmbedded ? yield* LocalFolder.open : yield* LocalFolder.folder
  const port = yield* Listen.port(variable, byDefault)
  const local = `http://127.0.0.1:${port}`
  const { onboarding, billing } = neighbours(local)
  const isRealTelegram =
    (yield* Embedded.environment) === "production" || (yield* Embedded.isGiven("TELEGRAM_BOT_TOKEN"))
  return {
    embedded,
    folder,
    variable,
    port,
    /** This service as this machine reaches it. */
    local,
    publicUrl: yield* Config.URL("PUBLIC_URL").pipe(Config.withDefault(new URL(local))),
    billing,
    /** Where links to Telegram lead. A service need not hold the bot's token to know that. */
    telegram: isRealTelegram ? realTelegram : telegramLinks(onboarding),
  }
})

const onThisMachine = (variable: string, byDefault: number) =>
  Effect.map(Listen.port(variable, byDefault), (port) => `http://127.0.0.1:${port}`)

/** One service among others: onboarding and billing are processes of their own. */
export const read = Effect.fn("Place.read")(function* <C extends Connection>(
  connections: ReadonlyArray<C>,
  variable: string,
  byDefault: number,
) {
  const onboarding = yield* onThisMachine("ONBOARDING_PORT", 3002)
  const billing = yield* onThisMachine("BILLING_PORT", 3003)
  return yield* around(connections, variable, byDefault, () => ({ onboarding, billing }))
})

/** All of Berth in one process: its neighbours are itself. */
export const here = <C extends Connection>(connections: ReadonlyArray<C>, variable: string, byDefault: number) =>
  around(connections, variable, byDefault, (local) => ({ onboarding: local, billing: local }))

export type Place<C extends Connection = never> = Omit<Effect.Success<ReturnType<typeof read>>, "embedded"> & {
  readonly embedded: Embedded.EmbeddedPorts<C>
}

/** Where links in pages, mails and messages lead. */
export const site = ({ publicUrl, telegram }: Place) => Site.layer(publicUrl, telegram)

/** Prints what runs where, what is embedded, and what to try, once everything listens. */
export const greet = <E, R>(
  service: string,
  { embedded, local }: Place,
  open: Embedded.Banner["open"],
  tryIt: Effect.Effect<ReadonlyArray<string>, E, R>,
) =>
  Effect.flatMap(tryIt, (lines) =>
    Console.log(Embedded.banner({ title: `${service} on ${local}`, ports: embedded, open, tryIt: lines })),
  )

/** What an embedded service accepted, kept across a kill. */
export const kept = ({ folder }: Place, name: string) => DurableStore.layer(`${folder}/embedded/${name}`)

export const platform = Layer.merge(NodeServices.layer, SecureRandom.layerWebCrypto)
