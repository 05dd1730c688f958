/** Errors that more than one port raises. */
import * as Schema from "effect/Schema"

/** A store could not be reached or did not answer in time. Callers fail closed; nothing was decided. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()(
  "StoreUnavailable",
  { store: Schema.Literals(["redis", "postgres"]), operation: Schema.String, cause: Schema.Defect() },
  { httpApiStatus: 503 },
) {}
