/** The upstream: where it is, our key, and the connections to it. What several keys or base URLs would add stays behind this port. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type Dispatcher, Pool } from "undici"
import { Settings } from "./Settings.ts"

export interface Upstream {
  readonly apiKey: Redacted.Redacted<string>
  /** With the version: `https://api.moonshot.cn/v1`. */
  readonly baseUrl: URL
}

/** A thinking model may be silent for minutes before it answers. */
const firstByteMillis = 300_000
/** Between two pieces of an answer. */
const silenceMillis = 120_000

export class Kimi extends Context.Service<
  Kimi,
  {
    /** Sends one chat completion request; the handler is told everything else. */
    dispatch(body: Uint8Array, handler: Dispatcher.DispatchHandler): void
  }
>()("@berth/proxy/Kimi") {
  static readonly layerOf = ({ apiKey, baseUrl }: Upstream): Layer.Layer<Kimi, never, Settings> =>
    Layer.effect(
      Kimi,
      Effect.gen(function* () {
        const { upstreamSlots } = yield* Settings
        const path = `${baseUrl.pathname.replace(/\/+$/, "")}/chat/completions`
        const pool = yield* Effect.acquireRelease(
          Effect.sync(
            () =>
              new Pool(baseUrl.origin, {
                connections: upstreamSlots,
                headersTimeout: firstByteMillis,
                bodyTimeout: silenceMillis,
              }),
          ),
          (pool) => Effect.promise(() => pool.destroy()),
        )
        // The allowlist towards the upstream: nothing of the client's headers goes on.
        const headers = {
          authorization: `Bearer ${Redacted.value(apiKey)}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          // Usage is read from the bytes in passing, so they must come plain.
          "accept-encoding": "identity",
          "user-agent": "berth",
        }
        return {
          dispatch: (body, handler) => {
            pool.dispatch({ path, method: "POST", headers, body }, handler)
          },
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
