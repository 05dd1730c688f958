/** `POST /provision`, on the internal port alone: no Ingress routes to it, and it asks for the service bearer. */
import { ServiceBearer } from "@berth/domain/ServiceBearer"
import { HttpApi, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import * as Schema from "effect/Schema"
import { Conflict, NotFound, StoreUnavailable } from "../api/Api.ts"

export class ProvisionGroup extends HttpApiGroup.make("provision")
  .add(
    /** Paid: 202 with the job's id, the same on every repeat. Unpaid: 409. Unknown: 404. No credential: 401. */
    HttpApiEndpoint.post("provision", "/provision", {
      payload: Schema.Struct({ orderId: Schema.String }),
      success: Schema.Struct({ jobId: Schema.String }).annotate({ httpApiStatus: 202 }),
      error: [NotFound, Conflict, StoreUnavailable],
    }),
  )
  .middleware(ServiceBearer) {}

export class InternalApi extends HttpApi.make("berth-internal").add(ProvisionGroup) {}
