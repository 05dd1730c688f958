/**
 * GET at a pod's own address, the one way into an agent: its NetworkPolicy lets nobody else in. What runs there obeys a model
 * and may answer anything, so an answer is small, soon, and never leads elsewhere.
 */
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest, HttpIncomingMessage } from "effect/http"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

export interface PodRequest {
  readonly ip: string
  readonly port: number
  /** With its leading slash. */
  readonly path: string
  readonly bearer?: Redacted.Redacted<string>
}

export interface PodAnswer {
  readonly status: number
  readonly body: string
}

/** No answer, not in time, or one that is larger than any that is asked for. */
export class PodUnanswered extends Schema.TaggedError<PodUnanswered>()("PodUnanswered", { path: Schema.String }) {}

const patience = "3 seconds"
const largest = ByteSize.kibibytes(64)

export class PodHttp extends Context.Service<
  PodHttp,
  { get(request: PodRequest): Effect.Effect<PodAnswer, PodUnanswered> }
>()("@berth/operator/PodHttp") {
  /** Where no pod answers. */
  static readonly layerNone: Layer.Layer<PodHttp> = Layer.succeed(PodHttp)({
    get: ({ path }) => Effect.fail(new PodUnanswered({ path })),
  })

  /** The client must not follow redirects. */
  static readonly layer: Layer.Layer<PodHttp, never, HttpClient.HttpClient> = Layer.effect(
    PodHttp,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      return PodHttp.of({
        get: Effect.fn("PodHttp.get")(function* ({ ip, port, path, bearer }) {
          const host = ip.includes(":") ? `[${ip}]` : ip
          const request = HttpClientRequest.get(`http://${host}:${port}${path}`)
          return yield* client
            .execute(bearer === undefined ? request : HttpClientRequest.bearerToken(request, bearer))
            .pipe(
              Effect.flatMap((response) => Effect.map(response.text, (body) => ({ status: response.status, body }))),
              Effect.provideService(HttpIncomingMessage.MaxBodySize, largest),
              Effect.provideService(HttpClient.TracerPropagationEnabled, false),
              Effect.timeout(patience),
              Effect.mapError(() => new PodUnanswered({ path })),
            )
        }),
      })
    }),
  )
}
