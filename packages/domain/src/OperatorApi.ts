/** What the operator serves to other services of Berth, on a port of its own, by its bearer. */
import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { AgentHealth, AgentLogs, AgentUnknown, InspectionUnavailable, LogQuery, NoLogs } from "./AgentInspection.ts"
import { CustomerId } from "./Ids.ts"
import { ServiceBearer } from "./ServiceBearer.ts"

export class AgentsGroup extends HttpApiGroup.make("agents")
  .add(
    HttpApiEndpoint.get("logs", "/agents/:id/logs", {
      params: { id: CustomerId },
      query: LogQuery,
      success: AgentLogs,
      error: [AgentUnknown, NoLogs, InspectionUnavailable],
    }),
    HttpApiEndpoint.get("health", "/agents/:id/health", {
      params: { id: CustomerId },
      success: AgentHealth,
      error: [AgentUnknown, InspectionUnavailable],
    }),
  )
  .middleware(ServiceBearer) {}

export class OperatorApi extends HttpApi.make("berth-operator").add(AgentsGroup) {}
