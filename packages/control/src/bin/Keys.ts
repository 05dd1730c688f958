/** Keys of this process: those that are given, else those that this machine made for itself. */
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import { Opener, Sealer } from "@berth/domain/Seal"
import { ServiceBearer } from "@berth/domain/ServiceBearer"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Control seals secrets to the operator's public key and can't open them. */
export const sealer = Layer.unwrap(Effect.map(LocalFolder.recipient, Sealer.layer))

/** Both halves, for the one process that is control and operator: whatever it seals it can open. */
export const sealerAndOpener = Layer.unwrap(
  Effect.gen(function* () {
    const identity = yield* LocalFolder.identity
    return Layer.merge(Sealer.layer(yield* LocalFolder.recipientOf(identity)), Opener.layer(identity))
  }),
)

/** The bearer that `POST /provision` asks for. */
export const serviceBearer = Layer.unwrap(Effect.map(LocalFolder.serviceToken, ServiceBearer.layerOf))
