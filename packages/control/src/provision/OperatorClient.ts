/**
 * Looks at agents by asking the operator, at `OPERATOR_URL` with its bearer. The same question within a moment is asked once,
 * however many pages of a customer ask it. An operator that does not answer in time is a look that can't be had now.
 */
import {
  AgentInspection,
  type AgentHealth,
  type AgentLogs,
  type AgentUnknown,
  InspectionUnavailable,
  type NoLogs,
} from "@berth/domain/AgentInspection"
import { CustomerId } from "@berth/domain/Ids"
import { OperatorApi } from "@berth/domain/OperatorApi"
import * as Cache from "effect/Cache"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

export interface Options {
  /** Origin of the operator's own port, e.g. `http://127.0.0.1:3012`. */
  readonly url: string
  readonly token: Redacted.Redacted<string>
}

const calm = { capacity: 10_000, timeToLive: "2 seconds" } as const
const patience = "8 seconds"

const make = Effect.fn("OperatorClient.make")(function* ({ token, url }: Options) {
  const client = yield* HttpApiClient.make(OperatorApi, {
    baseUrl: url,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(Redacted.value(token))),
  })

  /** What is wrong with the way to the operator is for the log. */
  const unavailable = (error: { readonly _tag: string }): Effect.Effect<never, InspectionUnavailable> =>
    error._tag === "InspectionUnavailable"
      ? Effect.fail(InspectionUnavailable.now)
      : Effect.andThen(
          Effect.logError("The operator could not be asked", error._tag),
          Effect.fail(InspectionUnavailable.now),
        )

  const healths = yield* Cache.make({
    ...calm,
    lookup: (id: CustomerId): Effect.Effect<AgentHealth, AgentUnknown | InspectionUnavailable> =>
      client.agents.health({ params: { id } }).pipe(
        Effect.timeout(patience),
        Effect.catch((error): Effect.Effect<never, AgentUnknown | InspectionUnavailable> =>
          error._tag === "AgentUnknown" ? Effect.fail(error) : unavailable(error),
        ),
      ),
  })
  const logs = yield* Cache.make({
    ...calm,
    lookup: (question: string): Effect.Effect<AgentLogs, AgentUnknown | NoLogs | InspectionUnavailable> => {
      const [id = "", tail, previous] = question.split(" ")
      return client.agents
        .logs({
          params: { id: CustomerId.make(id) },
          query: { tail: Number(tail), previous: previous === "true" ? "true" : "false" },
        })
        .pipe(
          Effect.timeout(patience),
          Effect.catch((error): Effect.Effect<never, AgentUnknown | NoLogs | InspectionUnavailable> =>
            error._tag === "AgentUnknown" || error._tag === "NoLogs" ? Effect.fail(error) : unavailable(error),
          ),
        )
    },
  })
  return AgentInspection.of({
    health: (id) => Cache.get(healths, id),
    logs: (id, { tail, previous }) => Cache.get(logs, `${id} ${tail} ${previous}`),
  })
})

export const layer = (options: Options): Layer.Layer<AgentInspection, never, HttpClient.HttpClient> =>
  Layer.effect(AgentInspection, make(options))

/** Reads `OPERATOR_URL` and `OPERATOR_TOKEN`; `local` is the token of a machine that made its own. */
export const layerConfig = (
  local?: Redacted.Redacted<string>,
): Layer.Layer<AgentInspection, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const url = yield* Config.URL("OPERATOR_URL").pipe(Config.withDefault(new URL("http://127.0.0.1:3012")))
      const token = local ?? Option.getOrUndefined(yield* Config.option(Config.Redacted("OPERATOR_TOKEN")))
      if (token !== undefined) return layer({ url: url.origin, token })
      yield* Effect.logWarning("OPERATOR_TOKEN is not given, so nobody can look at how an agent does")
      return AgentInspection.layerNone
    }),
  )
