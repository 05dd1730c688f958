/**
 * The api service: the customer's HTTP API, the WebSocket of events, and the docs of the whole public API (`/docs`,
 * `/openapi.json`). `routes` go on any router; the all-in-one process mounts them beside those of the other services.
 */
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApiBuilder, HttpApiScalar, OpenApi } from "effect/http-api"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances } from "../billing/Allowances.ts"
import { Audit } from "../billing/Audit.ts"
import { Orders } from "../billing/Orders.ts"
import * as ExportDownload from "../exports/ExportDownload.ts"
import { Exports } from "../exports/Exports.ts"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { accountHandlers, adminHandlers } from "./AccountHandlers.ts"
import { CustomerApi, PublicApi } from "./Api.ts"
import { adminOnly, authenticated } from "./Authentication.ts"
import { Caller } from "./Caller.ts"
import * as EventSocket from "./EventSocket.ts"
import { guards } from "./Guards.ts"
import { inspectionHandlers, staffInspectionHandlers } from "./InspectionHandlers.ts"
import { sessionHandlers } from "./SessionHandlers.ts"
import { Sessions } from "./Sessions.ts"
import { UsageReport } from "./UsageReport.ts"

/** Who calls: shared by everything that serves customers. */
export const callers = Caller.layer.pipe(Layer.provideMerge(Sessions.layer))

const docs = Layer.mergeAll(
  HttpApiScalar.layer(PublicApi, { path: "/docs" }),
  HttpRouter.add(
    "GET",
    "/openapi.json",
    Effect.sync(() => HttpServerResponse.jsonUnsafe(OpenApi.fromApi(PublicApi))),
  ),
)

const customerApi = HttpApiBuilder.layer(CustomerApi).pipe(
  Layer.provide([sessionHandlers, accountHandlers, inspectionHandlers, adminHandlers, staffInspectionHandlers]),
  Layer.provide([authenticated, adminOnly]),
)

/** Needs SqlClient, Work, CustomerBus, Allowance, AllowanceSource, SecureRandom, Site, ExportStore, ExportOpener, ExportLinks and AgentInspection. */
export const routes = Layer.mergeAll(customerApi, EventSocket.routes, ExportDownload.routes, docs, guards).pipe(
  Layer.provide([
    UsageReport.layer,
    Exports.layer,
    Orders.layer,
    Allowances.layer,
    Audit.layer,
    CustomerEvents.layer,
    callers,
  ]),
)

/** Ready while Postgres answers. */
export const ready = Effect.flatMap(SqlClient, (sql) => sql`SELECT 1`).pipe(
  Effect.as(true),
  Effect.catch(() => Effect.succeed(false)),
)
