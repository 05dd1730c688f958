/** Names requests. Each process draws its own prefix, so no two requests ever share a name; nothing of the client enters it. */
import { RequestId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

export const make: Effect.Effect<() => RequestId> = Effect.gen(function* () {
  const draw = Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)
  const prefix = `req_${(yield* draw).toString(36)}${(yield* draw).toString(36)}_`
  let count = 0
  return () => RequestId.make(`${prefix}${(count++).toString(36)}`)
})
