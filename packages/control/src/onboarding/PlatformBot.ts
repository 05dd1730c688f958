/** The name of Berth's own bot, asked of Telegram once. While Telegram is away a configured name serves, so that no page waits. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Telegram } from "./Telegram.ts"

export class PlatformBot extends Context.Service<PlatformBot, { readonly username: Effect.Effect<string> }>()(
  "@berth/control/PlatformBot",
) {
  /** `TELEGRAM_BOT_USERNAME` names the bot until Telegram does. */
  static readonly layer: Layer.Layer<PlatformBot, Config.ConfigError, Telegram> = Layer.effect(
    PlatformBot,
    Effect.gen(function* () {
      const telegram = yield* Telegram
      const fallback = yield* Config.String("TELEGRAM_BOT_USERNAME").pipe(Config.withDefault("berth_bot"))
      let known: string | undefined
      const ask = telegram.platform.getMe.pipe(
        Effect.map(({ username }) => (known = username)),
        Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.succeed(fallback) }),
        Effect.catch(() => Effect.succeed(fallback)),
      )
      return PlatformBot.of({ username: Effect.suspend(() => (known === undefined ? ask : Effect.succeed(known))) })
    }),
  )
}
