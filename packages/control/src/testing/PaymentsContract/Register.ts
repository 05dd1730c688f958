/** How a group of the contract's cases says them, whichever suite they stand in. */
import type * as Effect from "effect/Effect"
import type { Payments } from "../../billing/Payments.ts"

export type Register<R> = (
  name: string,
  body: () => Effect.Effect<void, unknown, Payments | R>,
  /** Why it can't be tried here. */
  skipped?: boolean,
) => void
