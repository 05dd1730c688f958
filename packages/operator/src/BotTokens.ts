/**
 * Whether Telegram takes a bot's token. Asked only when an agent's own channel is down, since that alone does not tell a token
 * that was replaced from a Telegram that is away or another program on the same bot. What is not clear accuses nobody.
 */
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest, HttpIncomingMessage } from "effect/http"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export type Verdict = "accepted" | "rejected" | "unknown"

/** Telegram's own words: 401 for a token that was replaced or whose bot is gone, 404 for one that never was. */
export const verdictOf = (status: number): Verdict =>
  status === 200 ? "accepted" : status === 401 || status === 404 ? "rejected" : "unknown"

export class BotTokens extends Context.Service<
  BotTokens,
  { check(token: Redacted.Redacted<string>): Effect.Effect<Verdict> }
>()("@berth/operator/BotTokens") {
  /** Calls `getMe` of this Bot API. The token is part of the URL, so no URL is ever told. */
  static readonly layer = (
    apiRoot = "https://api.telegram.org",
  ): Layer.Layer<BotTokens, never, HttpClient.HttpClient> =>
    Layer.effect(
      BotTokens,
      Effect.gen(function* () {
        const client = yield* HttpClient.HttpClient
        return BotTokens.of({
          check: Effect.fn("BotTokens.check")((token) =>
            client.execute(HttpClientRequest.get(`${apiRoot}/bot${Redacted.value(token)}/getMe`)).pipe(
              Effect.flatMap((response) => Effect.as(response.text, verdictOf(response.status))),
              Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.kibibytes(64)),
              Effect.provideService(HttpClient.TracerPropagationEnabled, false),
              Effect.provideService(HttpClient.TracerDisabledWhen, () => true),
              Effect.timeout("5 seconds"),
              Effect.orElseSucceed((): Verdict => "unknown"),
            ),
          ),
        })
      }),
    )

  /** Asks nobody: says what it is told to say. */
  static readonly layerMemory = (verdict: () => Verdict = () => "unknown"): Layer.Layer<BotTokens> =>
    Layer.succeed(BotTokens)({ check: () => Effect.sync(verdict) })
}
