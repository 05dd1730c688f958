/**
 * What a customer may still use, held and settled. Invariant: no hold is admitted that makes used + held exceed the limit
 * as it stands. On an unreachable store: fails closed. The decisions themselves are pure, in `Allowance/`; the memory
 * layer and the Lua scripts of `live/AllowanceRedis.ts` both follow them and share one contract suite.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Difference } from "./Allowance/Compare.ts"
import { make } from "./Allowance/Memory.ts"
import { SwitchBoard } from "./Allowance/SwitchBoard.ts"
import { UsageLog } from "./Allowance/UsageLog.ts"
import type { StoreUnavailable } from "./Errors.ts"
import { CustomerId, type RequestId } from "./Ids.ts"
import { TierId } from "./Tiers.ts"
import type { Usage } from "./Usage.ts"

const Tokens = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/**
 * What billing decides about a customer: the part of `limit:{<id>}` that only an `AllowanceChange` alters. Times are
 * epoch ms, amounts charged tokens.
 */
export const AllowanceTerms = Schema.Struct({
  tier: TierId,
  /** Grant of the running period; a later period opens with `nextPlan`. */
  plan: Tokens,
  nextPlan: Tokens,
  /** Billing anchor: periods are months from here, the day clamped to the month's length. */
  anchor: Schema.Int,
  /** After this no further period opens. */
  serviceUntil: Schema.Int,
  /** The customer paused the agent: it stays up, the proxy refuses. */
  paused: Schema.Boolean,
  /** The agent is suspended, for whatever reason. */
  blocked: Schema.Boolean,
  /** The most that may be charged in one UTC day, as the customer set it; null for no such cap. */
  dailyCap: Schema.NullOr(Tokens),
  /** The most that background turns (heartbeat, cron) may be charged in one period. */
  backgroundCap: Tokens,
  /** SHA-256 (hex) of every live proxy token; two during a rotation. */
  tokens: Schema.Array(Schema.String),
})
export type AllowanceTerms = typeof AllowanceTerms.Type

/** What was charged in the newest UTC day that had a charge. `day` counts from 1970-01-01. */
export const DayUsage = Schema.Struct({ day: Schema.Int, used: Tokens })
export type DayUsage = typeof DayUsage.Type

/**
 * The whole of `limit:{<id>}` as Postgres knows it, read in one snapshot. `recorded` is how far the recorder had come in
 * that same snapshot: later events still in the stream are added by the rebuild, so none is counted twice or lost.
 */
export const AllowanceSnapshot = Schema.Struct({
  customerId: CustomerId,
  rev: Schema.Int,
  terms: AllowanceTerms,
  /** Number of the newest period; the first is 0. */
  period: Schema.Int,
  periodEnd: Schema.Int,
  packs: Tokens,
  used: Tokens,
  /** What background turns used of it. */
  background: Tokens,
  today: DayUsage,
  /** Used and plan of closed periods, by number: the newest `remembered` (see `Allowance/Limit.ts`), for what settles late. */
  older: Schema.Array(Schema.Struct({ period: Schema.Int, used: Tokens, plan: Tokens })),
  /** Charges of periods after that one: calls of which Redis told when it had lost that it opened them. */
  ahead: Schema.optionalKey(Schema.Array(Schema.Struct({ period: Schema.Int, used: Tokens, background: Tokens }))),
  /**
   * Source ids of calls that these amounts count: the newest, which somebody may yet settle again, and all that was asked
   * about and is counted. For a rebuild alone.
   */
  counted: Schema.optionalKey(Schema.Array(Schema.String)),
  recorded: Schema.Struct({ epoch: Schema.String, cursor: Schema.String }),
})
export type AllowanceSnapshot = typeof AllowanceSnapshot.Type

/**
 * A change with its per-customer number. It applies only on top of `rev - 1`, and never touches used or held.
 * `terms.plan` is the grant of `period`, the newest that billing knew: if the store has opened a later one since, it counts
 * for the closed one, and the later one keeps the grant it opened with (the recorder books it from its `period` event, and
 * billing answers with a further change if it wants another); if the store is behind, it first opens every period up to it.
 * An anchor that is moved into the running period ends it there.
 */
export const AllowanceChange = Schema.Struct({
  customerId: CustomerId,
  rev: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  period: Schema.Int,
  terms: AllowanceTerms,
  /** What a bought pack adds or a refund takes; packs never go below 0. */
  packsDelta: Schema.Int,
})
export type AllowanceChange = typeof AllowanceChange.Type

/** What `GET limit:{<id>}` says, for pages, headers and tests. */
export interface AllowanceView {
  readonly rev: number
  readonly terms: AllowanceTerms
  readonly period: number
  readonly periodEnd: number
  readonly packs: number
  readonly used: number
  readonly held: number
  /** What background turns used in this period, and hold. Parts of `used` and `held`. */
  readonly background: number
  readonly heldBackground: number
  /** The running UTC day. */
  readonly today: DayUsage
  /** plan + packs. */
  readonly limit: number
}

/** One request for allowance. `prompt` is an upper bound; `completion` the requested maximum; `floor` the least completion worth a call. */
export interface Ask {
  readonly customerId: CustomerId
  readonly tokenHash: string
  readonly requestId: RequestId
  readonly attempt: number
  readonly model: string
  /** A turn that nobody waits for: heartbeat or cron. */
  readonly background: boolean
  readonly prompt: number
  readonly completion: number
  readonly floor: number
}

/** A hold identifies its request and attempt; `ask` is what is held. */
export interface Hold {
  readonly customerId: CustomerId
  readonly requestId: RequestId
  readonly attempt: number
  readonly period: number
  readonly ask: number
  readonly background: boolean
}

export type Admission =
  | {
      readonly _tag: "Admitted"
      readonly hold: Hold
      /** What may be asked of the model as `max_completion_tokens`. */
      readonly completion: number
      /** After this hold: limit − used − held, for headers. */
      readonly remaining: number
      readonly limit: number
      readonly periodEnd: number
      readonly tier: TierId
    }
  /** used + prompt + min(completion, floor) exceeds the limit: the monthly message. */
  | { readonly _tag: "Exhausted"; readonly used: number; readonly limit: number; readonly periodEnd: number }
  /** Today's charges leave no room under the customer's daily cap until `resetsAt`, the next UTC midnight. */
  | { readonly _tag: "DailyCapped"; readonly cap: number; readonly resetsAt: number }
  /** Background turns have used what they may in this period. */
  | { readonly _tag: "BackgroundCapped"; readonly cap: number; readonly periodEnd: number }
  /** Fits what is left under every cap, but not beside the open holds: wait for one to settle. */
  | { readonly _tag: "Busy"; readonly limit: number; readonly periodEnd: number }
  /** The token is not (or no longer) one of the customer's live ones. */
  | { readonly _tag: "Revoked" }
  | { readonly _tag: "Paused" }
  | { readonly _tag: "Blocked" }
  /** Ops have stopped all traffic, this model or this customer (see `Switches`). */
  | { readonly _tag: "Stopped"; readonly what: "all" | "model" | "customer" }
  /** This request and attempt was concluded before it was asked for: an ask that Redis got late. Nobody waits for it. */
  | { readonly _tag: "Ended" }
  /** A period is due and serviceUntil has passed. */
  | { readonly _tag: "Lapsed"; readonly serviceUntil: number }
  /** There is no hash: rebuild it from Postgres and ask again. */
  | { readonly _tag: "Absent" }
  /** More than a million events wait for the recorder: fail closed. */
  | { readonly _tag: "Backlogged" }

/** How a call ended. `usage` is the last one seen, or an estimate from the bytes seen, flagged as such. */
export interface Settlement {
  readonly hold: Hold
  readonly model: string
  readonly usage: Usage
  readonly estimated: boolean
  readonly traceId: string
}

/** `settled` counted now; `repeat` was counted before and changed nothing; `corrected` is a truth after its hold was given up as lost. */
export type Settled = "settled" | "repeat" | "corrected"

/** How a rebuild ended. `unsure`: source ids of events of which the snapshot does not say whether it counts them. */
export type Rebuilt = "rebuilt" | "present" | "stale" | { readonly unsure: ReadonlyArray<string> }

export type Compared =
  | "outdated"
  | "stale"
  | { readonly unsure: ReadonlyArray<string> }
  | { readonly differences: ReadonlyArray<Difference> }

/** A customer and the newest change to their allowance. */
export interface Revision {
  readonly customerId: CustomerId
  readonly rev: number
}

export interface Pulse {
  /** Another one whenever what the store had acknowledged may be lost: it was away, or its stream began anew. */
  readonly life: string
  /** For how long the oldest usage has waited to be recorded, in ms; 0 when none waits. */
  readonly lag: number
}

export class Allowance extends Context.Service<
  Allowance,
  {
    /** The customer whose token hashes to this, if Redis knows it. Says nothing about the token still being live: `admit` decides that. */
    customerOf(tokenHash: string): Effect.Effect<Option.Option<CustomerId>, StoreUnavailable>
    /** Decides and holds in one atomic step; opens the next period first if it is due. */
    admit(ask: Ask): Effect.Effect<Admission, StoreUnavailable>
    /** Prolongs open holds to 90 s from now; puts back one that is missing, unless it was settled or released. */
    renew(holds: ReadonlyArray<Hold>): Effect.Effect<void, StoreUnavailable>
    /** Counts a call once, whatever is repeated, releases its hold and appends its event, atomically. */
    settle(settlement: Settlement): Effect.Effect<Settled, StoreUnavailable>
    /** Gives back a hold whose call never reached the upstream: nothing is charged and no event is written. */
    release(hold: Hold): Effect.Effect<void, StoreUnavailable>
    /** Turns every expired hold into a `lost` event; how many. Waits 30 s after the store came back, so that its owners can renew first. */
    readonly sweep: Effect.Effect<number, StoreUnavailable>
    /** `skipped`: not newer than what stands. `gap`: a change before it is missing, so rebuild. `absent`: there is no hash, so rebuild. */
    apply(change: AllowanceChange): Effect.Effect<"applied" | "skipped" | "gap" | "absent", StoreUnavailable>
    /**
     * Writes the hash from a snapshot plus the stream's later events, if it is absent or outdated (see there), and marks as
     * settled what the snapshot says it counted, so that a repeat of it is known. `stale`: events that the snapshot lacks
     * were recorded and trimmed since. `unsure`, if `asked` is given: a charge of the stream is neither `counted` nor in
     * `asked`, so it may be one that was recorded before and told again. Either way take a new snapshot and try again.
     */
    rebuild(snapshot: AllowanceSnapshot, asked?: ReadonlyArray<string>): Effect.Effect<Rebuilt, StoreUnavailable>
    /**
     * How the store's allowance differs from a snapshot and the stream's later events, as of one instant. `outdated`: it is
     * absent, behind or to be rebuilt anyway. `stale`, `unsure` and `asked` are as at `rebuild`.
     */
    compare(snapshot: AllowanceSnapshot, asked: ReadonlyArray<string>): Effect.Effect<Compared, StoreUnavailable>
    /** Drops the hash (its holds and settled markers stay), to be rebuilt: what ops do about a difference, and tests. */
    forget(customerId: CustomerId): Effect.Effect<void, StoreUnavailable>
    /**
     * Those of these customers whom the store does not know, or knows from before a change, or from before it lost the tail
     * of its stream. Costs little, so that all of them can be looked for often.
     */
    outdated(customers: ReadonlyArray<Revision>): Effect.Effect<ReadonlyArray<CustomerId>, StoreUnavailable>
    /** Tells whether the store may have forgotten something, and how far the recorder is behind. */
    readonly pulse: Effect.Effect<Pulse, StoreUnavailable>
    /** As the next admission will find it, due periods opened. */
    view(customerId: CustomerId): Effect.Effect<Option.Option<AllowanceView>, StoreUnavailable>
  }
>()("@berth/domain/Allowance") {
  /** Shares its stream with `UsageEvents.layerMemory`, its switches with `Switches.layerMemory`. */
  static readonly layerMemory: Layer.Layer<Allowance> = Layer.effect(Allowance, make).pipe(
    Layer.provide([UsageLog.layer, SwitchBoard.layer]),
  )
}
