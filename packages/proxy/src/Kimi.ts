/** The upstream: where it is, our key, and the connections to it. What several keys or base URLs would add stays behind this port. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { type Dispatcher, Pool } from "undici"
import { Settings } from "./Settings.ts"

export interface Upstream {
  readonly apiKey: Redacted.Redacted<string>
  /** With the version: `https://api.moonshot.cn/v1`. */
  readonly baseUrl: URL
}

/** The upstream did not say what is left on our account. */
export class BalanceUnknown extends Schema.TaggedError<BalanceUnknown>()("BalanceUnknown", {}) {}

const Balance = Schema.Struct({ data: Schema.Struct({ available_balance: Schema.Finite }) })

export class Kimi extends Context.Service<
  Kimi,
  {
    /** Sends one chat completion request; the handler is told everything else. */
    dispatch(body: Uint8Array, handler: Dispatcher.DispatchHandler): void
    /** What is left on our account, in the currency of the platform. */
    readonly balance: Effect.Effect<number, BalanceUnknown>
  }
>()("@berth/proxy/Kimi") {
  static readonly layerOf = ({ apiKey, baseUrl }: Upstream): Layer.Layer<Kimi, never, Settings> =>
    Layer.effect(
      Kimi,
      Effect.gen(function* () {
        const { upstreamSlots, firstByte, silence } = yield* Settings
        const prefix = baseUrl.pathname.replace(/\/+$/, "")
        const pool = yield* Effect.acquireRelease(
          Effect.sync(
            () =>
              new Pool(baseUrl.origin, {
                // One more than calls in flight: nobody waits for a look at the balance.
                connections: upstreamSlots + 1,
                // Over HTTP/2 a call that is given up on a slow connection can send Node's `Http2Stream` into a loop in
                // native code (seen with 24.21), and all calls would share what one of them breaks.
                allowH2: false,
                headersTimeout: Duration.toMillis(firstByte),
                bodyTimeout: Duration.toMillis(silence),
              }),
          ),
          (pool) => Effect.promise(() => pool.destroy()),
        )
        // The allowlist towards the upstream: nothing of the client's headers goes on.
        const own = {
          authorization: `Bearer ${Redacted.value(apiKey)}`,
          // Usage is read from the bytes in passing, so they must come plain.
          "accept-encoding": "identity",
          "user-agent": "berth",
        }
        const headers = { ...own, "content-type": "application/json", accept: "application/json, text/event-stream" }
        const path = `${prefix}/chat/completions`

        const read = (signal: AbortSignal): Promise<unknown> =>
          pool
            .request({ path: `${prefix}/users/me/balance`, method: "GET", headers: own, signal })
            .then(({ statusCode, body }) => (statusCode === 200 ? body.json() : body.dump()))
        return {
          dispatch: (body, handler) => {
            pool.dispatch({ path, method: "POST", headers, body }, handler)
          },
          balance: Effect.tryPromise(read).pipe(
            Effect.flatMap(Schema.decodeUnknownEffect(Balance)),
            Effect.timeout("10 seconds"),
            Effect.mapBoth({ onSuccess: ({ data }) => data.available_balance, onFailure: () => new BalanceUnknown() }),
          ),
        }
      }),
    )

  /** `KIMI_API_KEY`, `KIMI_BASE_URL`. */
  static readonly layer: Layer.Layer<Kimi, Config.ConfigError, Settings> = Layer.unwrap(
    Effect.gen(function* () {
      return Kimi.layerOf({
        apiKey: yield* Config.Redacted("KIMI_API_KEY"),
        baseUrl: yield* Config.URL("KIMI_BASE_URL").pipe(Config.withDefault(new URL("https://api.moonshot.cn/v1"))),
      })
    }),
  )
}
