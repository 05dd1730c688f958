/** Where exports are kept: in the object storage of `EXPORT_URL`, or in the folder `exports` of `BERTH_DIR`. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { isGiven } from "../Embedded.ts"
import * as ExportsFolder from "./ExportsFolder.ts"
import * as ExportsS3 from "./ExportsS3.ts"
import * as LocalFolder from "./LocalFolder.ts"

export const layer = Layer.unwrap(
  Effect.gen(function* () {
    if (yield* isGiven("EXPORT_URL")) return ExportsS3.layer
    return ExportsFolder.layer(`${yield* LocalFolder.folder}/exports`)
  }),
)
