/**
 * How an agent does right now and what it last wrote into its log: for its own customer, and for staff of any. The operator
 * is asked at each call; when it can't be, that is a 503 that may be tried again, and everything else goes on.
 */
import {
  AgentHealth,
  AgentLogs,
  AgentUnknown,
  InspectionUnavailable,
  LogQuery,
  NoLogs,
} from "@berth/domain/AgentInspection"
import { CustomerId } from "@berth/domain/Ids"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { AdminOnly, Authenticated } from "./Session.ts"

const params = { id: CustomerId }
const health = { success: AgentHealth, error: [AgentUnknown, InspectionUnavailable] } as const
/** Secrets are masked. `NoLogs`: the agent does not run, or had no run before. */
const logs = { query: LogQuery, success: AgentLogs, error: [AgentUnknown, NoLogs, InspectionUnavailable] } as const

export class InspectionGroup extends HttpApiGroup.make("inspection")
  .add(HttpApiEndpoint.get("health", "/agent/health", health), HttpApiEndpoint.get("logs", "/agent/logs", logs))
  .middleware(Authenticated)
  .prefix("/api")
  .annotateMerge(
    OpenApi.annotations({
      description:
        "Your agent as it is now: its conditions with what to do about each, its process and storage, and the end of its log. Secrets in it are masked.",
    }),
  ) {}

export class StaffInspectionGroup extends HttpApiGroup.make("staffInspection")
  .add(
    HttpApiEndpoint.get("health", "/agents/:id/health", { params, ...health }),
    HttpApiEndpoint.get("logs", "/agents/:id/logs", { params, ...logs }),
  )
  .middleware(AdminOnly)
  .middleware(Authenticated)
  .prefix("/api/admin")
  .annotateMerge(OpenApi.annotations({ description: "Any customer's agent as it is now, for staff." })) {}
