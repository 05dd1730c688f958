/** What an exporter leaves behind as its pod's termination message, in JSON. */
import { Written } from "@berth/domain/Exports"
import * as Schema from "effect/Schema"

export const Outcome = Schema.Union([
  Schema.TaggedStruct("Written", Written.fields),
  /** `message` names no address and may be shown to ops. */
  Schema.TaggedStruct("Failed", { message: Schema.String }),
])
export type Outcome = typeof Outcome.Type
