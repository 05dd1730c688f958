/** Where Berth is reached from outside, and where links to Telegram lead: the real one or the embedded one. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

export interface TelegramLinks {
  /** Opens a bot's chat; with `start` it presses Start with that payload. */
  bot(username: string, start?: string): string
  /** Where a bot is made. */
  readonly botFather: string
}

export const realTelegram: TelegramLinks = {
  bot: (username, start) => `https://t.me/${username}${start === undefined ? "" : `?start=${start}`}`,
  botFather: "https://t.me/BotFather",
}

export class Site extends Context.Service<
  Site,
  {
    /** Scheme, host and port as customers see them; no path. */
    readonly origin: string
    readonly telegram: TelegramLinks
  }
>()("@berth/control/Site") {
  static readonly layer = (publicUrl: URL, telegram: TelegramLinks): Layer.Layer<Site> =>
    Layer.succeed(Site)({ origin: publicUrl.origin, telegram })
}
