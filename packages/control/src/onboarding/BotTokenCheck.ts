/** Checks a pasted bot token live: Telegram knows it, it is a bot, the id is its prefix, and nobody else uses it. Never logs it. */
import type { CustomerId } from "@berth/domain/Ids"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { BotCheck } from "./Conversation/State.ts"
import { Telegram } from "./Telegram.ts"

const refused = (reason: Extract<BotCheck, { _tag: "Refused" }>["reason"]): BotCheck => ({ _tag: "Refused", reason })

export class BotTokenCheck extends Context.Service<
  BotTokenCheck,
  { check(accountId: CustomerId, token: Redacted.Redacted<string>): Effect.Effect<BotCheck, SqlError> }
>()("@berth/control/BotTokenCheck") {
  static readonly layer: Layer.Layer<BotTokenCheck, never, Telegram | SqlClient> = Layer.effect(
    BotTokenCheck,
    Effect.gen(function* () {
      const telegram = yield* Telegram
      const sql = yield* SqlClient
      const check = Effect.fn("BotTokenCheck.check")(
        function* (accountId: CustomerId, token: Redacted.Redacted<string>) {
          const bot = telegram.as(token)
          const me = yield* bot.getMe
          if (!me.isBot) return refused("notBot")
          if (!Redacted.value(token).startsWith(`${me.id}:`)) return refused("otherId")
          const own = yield* Effect.option(telegram.platform.getMe)
          if (own._tag === "Some" && own.value.id === me.id) return refused("platform")
          if ((yield* bot.webhookUrl) !== "") return refused("inUse")
          const others = yield* sql`
            SELECT 1 FROM agents WHERE lower(desired->'telegram'->>'botUsername') = ${me.username.toLowerCase()}
              AND customer_id <> ${accountId} AND phase <> 'deleted'`
          return others.length > 0
            ? refused("inUse")
            : ({ _tag: "Accepted", id: me.id, username: me.username } as const)
        },
        Effect.catchTags({
          TelegramRefused: () => Effect.succeed(refused("unknown")),
          TelegramUnavailable: () => Effect.succeed(refused("unreachable")),
        }),
      )
      return BotTokenCheck.of({ check })
    }),
  )
}
