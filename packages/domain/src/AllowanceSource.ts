/**
 * Where a missing `limit:{<id>}` comes from: Postgres, read-only. Used by the proxy (on a miss) and by billing (at start
 * and after a gap). The memory layer holds what a test or a lone embedded service seeds.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { AllowanceSnapshot, Revision } from "./Allowance.ts"
import type { StoreUnavailable } from "./Errors.ts"
import type { CustomerId } from "./Ids.ts"
import type { UsageDay } from "./UsageDays.ts"

export class AllowanceSource extends Context.Service<
  AllowanceSource,
  {
    /** `counted` is told if `asked` is given, and then also for the source ids in it. */
    snapshot(
      customerId: CustomerId,
      asked?: ReadonlyArray<string>,
    ): Effect.Effect<Option.Option<AllowanceSnapshot>, StoreUnavailable>
    customerOf(tokenHash: string): Effect.Effect<Option.Option<CustomerId>, StoreUnavailable>
    /** Every customer with an allowance. */
    readonly customers: Effect.Effect<ReadonlyArray<Revision>, StoreUnavailable>
    /** What is recorded of one period, and of every UTC day from `sinceDay` on if that is given. */
    usage(
      customerId: CustomerId,
      period: number,
      sinceDay?: number,
    ): Effect.Effect<ReadonlyArray<UsageDay>, StoreUnavailable>
  }
>()("@berth/domain/AllowanceSource") {
  static readonly layerMemory = (snapshots: ReadonlyArray<AllowanceSnapshot>): Layer.Layer<AllowanceSource> =>
    Layer.succeed(AllowanceSource)({
      snapshot: (id) => Effect.succeed(Option.fromUndefinedOr(snapshots.find((one) => one.customerId === id))),
      customerOf: (hash) =>
        Effect.succeed(Option.fromUndefinedOr(snapshots.find((one) => one.terms.tokens.includes(hash))?.customerId)),
      customers: Effect.succeed(snapshots.map(({ customerId, rev }) => ({ customerId, rev }))),
      usage: () => Effect.succeed([]),
    })
}
