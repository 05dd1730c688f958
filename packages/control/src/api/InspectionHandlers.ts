/** Whose agent may be looked at is decided here: a customer's own, which no path names, and for staff the one that is named. */
import { AgentInspection, logOptions } from "@berth/domain/AgentInspection"
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import { PublicApi } from "./Api.ts"
import { CurrentAccount } from "./Session.ts"

export const inspectionHandlers = HttpApiBuilder.group(
  PublicApi,
  "inspection",
  Effect.fn(function* (group) {
    const inspection = yield* AgentInspection
    return group.handleAll({
      health: () => Effect.flatMap(CurrentAccount, ({ id }) => inspection.health(id)),
      logs: ({ query }) => Effect.flatMap(CurrentAccount, ({ id }) => inspection.logs(id, logOptions(query))),
    })
  }),
)

export const staffInspectionHandlers = HttpApiBuilder.group(
  PublicApi,
  "staffInspection",
  Effect.fn(function* (group) {
    const inspection = yield* AgentInspection
    return group.handleAll({
      health: ({ params }) => inspection.health(params.id),
      logs: ({ params, query }) => inspection.logs(params.id, logOptions(query)),
    })
  }),
)
