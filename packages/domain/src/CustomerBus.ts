/**
 * The channel `customer:<id>`: "look, there is something new". It carries nothing; the events themselves stand in
 * Postgres, so a lost message delays and never loses.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { StoreUnavailable } from "./Errors.ts"
import type { CustomerId } from "./Ids.ts"

export class CustomerBus extends Context.Service<
  CustomerBus,
  {
    publish(customerId: CustomerId): Effect.Effect<void, StoreUnavailable>
    /** One element for each `publish` from the subscription on, and one at each (re)connect, when some may have been missed. */
    subscribe(customerId: CustomerId): Stream.Stream<void, StoreUnavailable>
  }
>()("@berth/domain/CustomerBus") {}
