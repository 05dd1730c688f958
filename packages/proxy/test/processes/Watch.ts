/** Looks at a customer's allowance in Redis again and again while a test runs, and counts what must never be seen. */
import * as Effect from "effect/Effect"
import type { Customer } from "../World.ts"
import type { Fleet } from "./Fleet.ts"

export interface Watched {
  looks: number
  /** Looks at which used + held was more than the limit. */
  beyond: number
  /** Looks at which the hash did not say what the open holds sum up to. */
  unequal: number
  mostHeld: number
}

/** Runs until the scope closes. */
export const watch = Effect.fnUntraced(function* (fleet: Pick<Fleet, "held">, customer: Customer, everyMillis = 5) {
  const watched: Watched = { looks: 0, beyond: 0, unequal: 0, mostHeld: 0 }
  const look = Effect.promise(() => fleet.held(customer)).pipe(
    Effect.map(({ used, held, limit, sum }) => {
      watched.looks++
      if (held !== sum) watched.unequal++
      if (limit > 0 && held > 0 && used + held > limit) watched.beyond++
      watched.mostHeld = Math.max(watched.mostHeld, sum)
    }),
  )
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(look, Effect.sleep(everyMillis))))
  return watched
})
