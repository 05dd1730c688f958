/** How far the recorder may fall behind before admission fails closed: Redis must never fill up with unrecorded usage. */
import * as Context from "effect/Context"

/** Events in `usage:events`. Only tests set another number. */
export const BacklogLimit = Context.Reference<number>("@berth/domain/Allowance/BacklogLimit", {
  defaultValue: () => 1_000_000,
})
