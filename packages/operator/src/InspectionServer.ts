/**
 * `GET /agents/:id/health` and `/agents/:id/logs` for other services of Berth: on a port of its own that no Ingress reaches,
 * by the operator's bearer. Every replica answers, whether it leads or stands by.
 */
import { AgentInspection, logOptions } from "@berth/domain/AgentInspection"
import * as Listen from "@berth/domain/Listen"
import { OperatorApi } from "@berth/domain/OperatorApi"
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Layer from "effect/Layer"

const agents = HttpApiBuilder.group(
  OperatorApi,
  "agents",
  Effect.fn(function* (group) {
    const inspection = yield* AgentInspection
    return group.handleAll({
      health: ({ params }) => inspection.health(params.id),
      logs: ({ params, query }) => inspection.logs(params.id, logOptions(query)),
    })
  }),
)

/** Needs AgentInspection and ServiceBearer. */
export const routes = HttpApiBuilder.layer(OperatorApi).pipe(Layer.provide(agents))

/** The port's variable and default. */
export const listens = { variable: "OPERATOR_PORT", port: 3012 } as const

/** Serves on `OPERATOR_PORT`. */
export const layer = Layer.unwrap(
  Effect.map(Listen.port(listens.variable, listens.port), (port) =>
    Listen.serve(routes, { variable: listens.variable, port }),
  ),
)
