/** Where the data of deleted agents goes: object storage, or a folder; encrypted to the key that is given, or kept here. */
import * as ExportsHere from "@berth/domain/live/ExportsHere"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Exporting } from "../Exporting.ts"

export const layer = Layer.unwrap(Effect.map(LocalFolder.exportRecipient, Exporting.layer)).pipe(
  Layer.provide(ExportsHere.layer),
)
