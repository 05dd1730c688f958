/**
 * Keys that stand in for variables that are not given: read at most once a process, and only if something is embedded, so
 * that production never writes one.
 */
import * as ProvisionRoutes from "../provision/ProvisionRoutes.ts"
import { Sealer } from "@berth/domain/Seal"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Keys from "./berth/Keys.ts"

export const read = Effect.fn("LocalKeys.read")(function* (
  embedded: Readonly<Record<string, string | undefined>>,
  folder: string,
) {
  const isAnyEmbedded = Object.values(embedded).some((variable) => variable !== undefined)
  return isAnyEmbedded ? yield* Keys.read(folder) : undefined
})
type LocalKeys = Keys.Keys | undefined

/** Control seals secrets to the operator's public key, `OPERATOR_AGE_RECIPIENT`, and can't open them. */
export const sealer = (keys: LocalKeys) =>
  Layer.unwrap(
    Config.String("OPERATOR_AGE_RECIPIENT").pipe(
      (given) => (keys === undefined ? given : Config.withDefault(given, keys.recipient)),
      Effect.map(Sealer.layer),
    ),
  )

/** The bearer that `POST /provision` asks for, `SERVICE_TOKEN`. */
export const serviceBearer = (keys: LocalKeys) =>
  keys === undefined ? ProvisionRoutes.bearerLayerConfig : ProvisionRoutes.bearerLayer(keys.service)
