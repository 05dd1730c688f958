/** The operator's ways to agents' pods and to Telegram, over a client that follows no redirect. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { BotTokens } from "../BotTokens.ts"
import { PodHttp } from "../PodHttp.ts"
import { Settings } from "../Settings.ts"

/** `TELEGRAM_API_ROOT` of the settings, or `otherRoot`, or Telegram's own. */
export const botTokens = (otherRoot?: string) =>
  Layer.unwrap(Effect.map(Settings, ({ telegramApiRoot = otherRoot }) => BotTokens.layer(telegramApiRoot))).pipe(
    Layer.provide(NodeHttpClient.layerNodeHttp),
  )

export const layer = Layer.merge(botTokens(), PodHttp.layer.pipe(Layer.provide(NodeHttpClient.layerNodeHttp)))
