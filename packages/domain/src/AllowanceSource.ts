/**
 * Where a missing `limit:{<id>}` comes from: Postgres, read-only. Used by the proxy (on a miss) and by billing (at start
 * and after a gap). The memory layer holds what a test or a lone embedded service seeds.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { AllowanceSnapshot } from "./Allowance.ts"
import type { StoreUnavailable } from "./Errors.ts"
import type { CustomerId } from "./Ids.ts"

export class AllowanceSource extends Context.Service<
  AllowanceSource,
  {
    snapshot(customerId: CustomerId): Effect.Effect<Option.Option<AllowanceSnapshot>, StoreUnavailable>
    customerOf(tokenHash: string): Effect.Effect<Option.Option<CustomerId>, StoreUnavailable>
    /** Every customer with an allowance, for a rebuild of all. */
    readonly customers: Effect.Effect<ReadonlyArray<CustomerId>, StoreUnavailable>
  }
>()("@berth/domain/AllowanceSource") {
  static readonly layerMemory = (snapshots: ReadonlyArray<AllowanceSnapshot>): Layer.Layer<AllowanceSource> =>
    Layer.succeed(AllowanceSource)({
      snapshot: (id) => Effect.succeed(Option.fromUndefinedOr(snapshots.find((one) => one.customerId === id))),
      customerOf: (hash) =>
        Effect.succeed(Option.fromUndefinedOr(snapshots.find((one) => one.terms.tokens.includes(hash))?.customerId)),
      customers: Effect.succeed(snapshots.map((one) => one.customerId)),
    })
}
