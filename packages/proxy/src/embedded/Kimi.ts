/**
 * A Kimi that needs no key: the same routes, checks, streams and counts, answering by rule. It keeps what it served in the
 * KeyValueStore that it is given, independently of what anyone metered. Only for development, demos and tests.
 */
import { createServer } from "node:http"
import { models } from "@berth/domain/Tiers"
import { Usage } from "@berth/domain/Usage"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import type { ServeError } from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Kimi } from "../Kimi.ts"
import type { Settings } from "../Settings.ts"
import { type Answer, answer } from "./Kimi/Answer.ts"
import { accept, type Rejected } from "./Kimi/Request.ts"
import { replyTo } from "./Kimi/Script.ts"
import { makePrefixCache } from "./Kimi/Tokens.ts"

/** Between two chunks of a stream. */
export const Pace = Context.Reference<Duration.Duration>("@berth/proxy/embedded/Kimi/Pace", {
  defaultValue: () => Duration.millis(12),
})

/** One answer as the embedded Kimi would bill it. `at` in epoch ms; not `whole` when the caller left in its midst. */
export const Served = Schema.Struct({
  id: Schema.String,
  at: Schema.Int,
  model: Schema.String,
  usage: Usage,
  whole: Schema.Boolean,
})
export type Served = typeof Served.Type

const keyPrefix = "kimi:served:"

export class EmbeddedKimi extends Context.Service<
  EmbeddedKimi,
  {
    /** Everything served, newest first. */
    readonly served: Effect.Effect<ReadonlyArray<Served>>
    /** Answers the body of a chat completion. */
    complete(body: unknown): Effect.Effect<HttpServerResponse.HttpServerResponse>
  }
>()("@berth/proxy/EmbeddedKimi") {
  static readonly layer: Layer.Layer<EmbeddedKimi, never, KeyValueStore.KeyValueStore> = Layer.effect(
    EmbeddedKimi,
    Effect.gen(function* () {
      const plain = yield* KeyValueStore.KeyValueStore
      const store = KeyValueStore.toSchemaStore(plain, Served)
      const pace = yield* Pace
      const cache = makePrefixCache()

      const served = Effect.gen(function* () {
        const keys = (yield* plain.keys).filter((key) => key.startsWith(keyPrefix))
        const found = yield* Effect.forEach(keys, (key) => store.get(key))
        return found.flatMap(Option.toArray).sort((a, b) => b.at - a.at)
      }).pipe(Effect.orDie)

      const keep = (one: Served) => Effect.orDie(store.set(`${keyPrefix}${one.id}`, one))

      const stream = (made: Answer, one: Served) => {
        let completion = 0
        return Stream.fromIterable(made.events).pipe(
          Stream.mapEffect((event) =>
            Effect.sleep(pace).pipe(
              Effect.map(() => {
                completion = event.completion
                return new TextEncoder().encode(event.text)
              }),
            ),
          ),
          Stream.onExit((exit) => keep({ ...one, usage: { ...made.usage, completion }, whole: Exit.isSuccess(exit) })),
        )
      }

      return {
        served,
        complete: Effect.fn("EmbeddedKimi.complete")(function* (value: unknown) {
          const accepted = accept(value)
          if (Result.isFailure(accepted)) return failure(accepted.failure)
          const { body, model } = accepted.success
          const at = yield* Clock.currentTimeMillis
          const id = `chatcmpl-${(yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)).toString(36)}${at.toString(36)}`
          const made = answer(
            accepted.success,
            replyTo(accepted.success),
            cache.count(body),
            id,
            Math.floor(at / 1_000),
          )
          const one: Served = { id, at, model, usage: made.usage, whole: true }
          if (body.stream === true) {
            return HttpServerResponse.stream(stream(made, one), { contentType: "text/event-stream; charset=utf-8" })
          }
          yield* Effect.sleep(pace)
          yield* keep(one)
          return HttpServerResponse.jsonUnsafe(made.json)
        }),
      }
    }),
  )
}

const failure = ({ status, type, message }: Rejected) =>
  HttpServerResponse.jsonUnsafe({ error: { type, message } }, { status })

const authorized = (answering: Effect.Effect<HttpServerResponse.HttpServerResponse>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) =>
    /^bearer \S+$/i.test(headers["authorization"] ?? "")
      ? answering
      : Effect.succeed(
          failure({ status: 401, type: "invalid_authentication_error", message: "Invalid Authentication" }),
        ),
  )

const modelList = HttpServerResponse.jsonUnsafe({
  object: "list",
  data: Object.values(models).map((one) => ({
    id: one.id,
    object: "model",
    created: 0,
    owned_by: "moonshot",
    context_length: one.contextTokens,
  })),
})
const balance = HttpServerResponse.jsonUnsafe({
  code: 0,
  status: true,
  scode: "0x0",
  data: { available_balance: 100, voucher_balance: 0, cash_balance: 100 },
})

/** The routes, under a prefix on any router: `""`, or `/dev/kimi`. */
export const routes = (prefix: "" | `/${string}`) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const kimi = yield* EmbeddedKimi
      yield* router.add(
        "POST",
        `${prefix}/v1/chat/completions`,
        Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
          authorized(Effect.flatMap(Effect.option(request.json), (body) => kimi.complete(Option.getOrUndefined(body)))),
        ),
      )
      yield* router.add("GET", `${prefix}/v1/models`, authorized(Effect.succeed(modelList)))
      yield* router.add("GET", `${prefix}/v1/users/me/balance`, authorized(Effect.succeed(balance)))
    }),
  )

/** Its own server on an ephemeral port of 127.0.0.1; `HttpServer` tells the address. */
export const layerServer: Layer.Layer<HttpServer.HttpServer, ServeError, EmbeddedKimi> = HttpRouter.serve(routes(""), {
  disableLogger: true,
  disableListenLog: true,
}).pipe(
  Layer.provideMerge(
    NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1", disablePreemptiveShutdown: true }),
  ),
  Layer.provide(NodeHttpServer.layerHttpServices),
)

/** The proxy's upstream, embedded: a server of its own and the connections to it. */
export const layer: Layer.Layer<Kimi, ServeError, EmbeddedKimi | Settings> = Layer.unwrap(
  Effect.map(HttpServer.HttpServer, ({ address }) =>
    Kimi.layerOf({
      apiKey: Redacted.make("sk-embedded"),
      baseUrl: new URL(`http://127.0.0.1:${"port" in address ? address.port : 0}/v1`),
    }),
  ),
).pipe(Layer.provide(layerServer))
