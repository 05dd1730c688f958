/** Looks at agents, by asking the operator of this machine or of `OPERATOR_URL`. */
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as OperatorClient from "../provision/OperatorClient.ts"

export const layer = Layer.unwrap(Effect.map(LocalFolder.operatorToken, OperatorClient.layerConfig)).pipe(
  Layer.provide(FetchHttpClient.layer),
)
