/**
 * The onboarding service: the chat's HTTP API, Telegram's webhook or poller, and the workers. `routes` go on any router and
 * `workers` beside it; both need the same `services`, so that the all-in-one process builds them once. `routes` need a
 * `Provisioning` too.
 */
import { Work } from "@berth/domain/Work"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ChatApi } from "../api/Api.ts"
import { authenticated } from "../api/Authentication.ts"
import { guards } from "../api/Guards.ts"
import { callers } from "../api/Server.ts"
import { Site } from "../api/Site.ts"
import { Audit } from "../billing/Audit.ts"
import { Orders } from "../billing/Orders.ts"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { AgentSecrets } from "../provision/AgentSecrets.ts"
import { BotTokenCheck } from "./BotTokenCheck.ts"
import { Cards } from "./Cards.ts"
import { chatHandlers } from "./ChatHandlers.ts"
import { ConversationStore } from "./ConversationStore.ts"
import * as EventFollower from "./EventFollower.ts"
import { Identities } from "./Identities.ts"
import { LinkCodes } from "./LinkCodes.ts"
import { Onboarding } from "./Onboarding.ts"
import { PlatformBot } from "./PlatformBot.ts"
import { TelegramInbox } from "./TelegramInbox.ts"
import { TelegramTalk } from "./TelegramTalk.ts"
import * as TelegramUpdates from "./TelegramUpdates.ts"
import * as TelegramWorker from "./TelegramWorker.ts"
import { Turns } from "./Turns.ts"

/** Everything inside. Needs SqlClient, CustomerBus, Sealer, SecureRandom, Site, Telegram, Checkout and Wording. */
export const services = TelegramInbox.layer.pipe(
  Layer.provideMerge(TelegramTalk.layer),
  Layer.provideMerge(Onboarding.layer),
  Layer.provideMerge(Layer.mergeAll(Turns.layer, BotTokenCheck.layer, callers)),
  Layer.provideMerge(Layer.mergeAll(ConversationStore.layer, Cards.layer, Identities.layer)),
  Layer.provideMerge(
    Layer.mergeAll(
      LinkCodes.layer,
      PlatformBot.layer,
      Orders.layer,
      CustomerEvents.layer,
      AgentSecrets.layer,
      Audit.layer,
      Work.layer,
    ),
  ),
)

/** Given, updates come by webhook; else they are polled. */
const webhookSecret = Config.option(Config.Redacted("TELEGRAM_WEBHOOK_SECRET"))

const chatApi = HttpApiBuilder.layer(ChatApi).pipe(Layer.provide(chatHandlers), Layer.provide(authenticated))

const webhookRoute = Layer.unwrap(
  Effect.map(webhookSecret, Option.match({ onNone: () => Layer.empty, onSome: TelegramUpdates.webhook })),
)

export const routes = Layer.mergeAll(chatApi, webhookRoute, guards)

const updates = Layer.unwrap(
  Effect.gen(function* () {
    const secret = yield* webhookSecret
    const { origin } = yield* Site
    return Option.match(secret, {
      onNone: () => TelegramUpdates.polling,
      onSome: (given) => TelegramUpdates.register(origin, given),
    })
  }),
)

export const workers = Layer.mergeAll(TelegramWorker.layer, EventFollower.layer, updates)
