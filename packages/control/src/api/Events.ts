/**
 * What a customer is told, in order: rows of customer_events, sent over the WebSocket `/api/events?after=<seq>`, which
 * resumes after the last seq seen without losing or repeating one.
 */
import { Step } from "@berth/domain/Lifecycle"
import { PackId } from "@berth/domain/Packs"
import { SoldTierId } from "@berth/domain/Tiers"
import * as Schema from "effect/Schema"
import { Message } from "./Messages.ts"

const common = { seq: Schema.Int, at: Schema.Int }

export const CustomerEvent = Schema.Union([
  /** The conversation got a message that no request of this page asked for. */
  Schema.TaggedStruct("message", { ...common, conversationId: Schema.String, message: Message }),
  Schema.TaggedStruct("paid", { ...common, orderId: Schema.String }),
  /** Provisioning came one step further. */
  Schema.TaggedStruct("step", { ...common, step: Step }),
  Schema.TaggedStruct("active", { ...common, botUsername: Schema.String, text: Schema.String }),
  Schema.TaggedStruct("failed", {
    ...common,
    reason: Schema.String,
    message: Schema.String,
    retriable: Schema.Boolean,
  }),
  /** The agent runs, but something is wrong; `message` says what, and what to do. */
  Schema.TaggedStruct("troubled", {
    ...common,
    reason: Schema.String,
    message: Schema.String,
    needsOwner: Schema.Boolean,
  }),
  /** That is over. */
  Schema.TaggedStruct("recovered", { ...common, reason: Schema.String, message: Schema.String }),
  Schema.TaggedStruct("suspended", { ...common, reasons: Schema.Array(Schema.String) }),
  /** The agent stops for good: its data is exported, then all of it is deleted. */
  Schema.TaggedStruct("deprovisioning", common),
  /** Its data can be fetched, until `expiresAt` (epoch ms), by the link in the mail and on the page. Bytes. */
  Schema.TaggedStruct("exported", { ...common, size: Schema.Int, expiresAt: Schema.Int }),
  Schema.TaggedStruct("deleted", common),
  /** So many percent of the period's tokens are used; at 100 the agent waits for the reset or for more tokens. */
  Schema.TaggedStruct("usage.alert", {
    ...common,
    percent: Schema.Literals([50, 80, 100]),
    used: Schema.Int,
    limit: Schema.Int,
    /** Number of the billing period; an alert of an older one is history. */
    period: Schema.Int,
    /** When it ends, epoch ms. */
    resetsAt: Schema.Int,
  }),
  /** The daily cap that the customer set is reached; the agent waits until `resetsAt` (epoch ms). */
  Schema.TaggedStruct("usage.capped", { ...common, cap: Schema.Int, resetsAt: Schema.Int }),
  /** Money came in: for the first month, a renewal, an upgrade or a pack. `invoiceUrl` is Stripe's own page. */
  Schema.TaggedStruct("payment.received", {
    ...common,
    what: Schema.Literals(["create", "cycle", "update", "pack"]),
    cents: Schema.Int,
    tier: Schema.NullOr(SoldTierId),
    pack: Schema.NullOr(PackId),
    /** What it pays for, epoch ms; null for a pack, which does not end. */
    periodEnd: Schema.NullOr(Schema.Int),
    invoiceUrl: Schema.NullOr(Schema.String),
  }),
  /**
   * A renewal can't be charged. `day` counts from when it was due; service ends at `endsAt` (epoch ms) unless it is paid, by
   * another card at `payUrl`, Stripe's own page for it.
   */
  Schema.TaggedStruct("payment.failed", {
    ...common,
    day: Schema.Literals([0, 3, 7, 13]),
    cents: Schema.Int,
    endsAt: Schema.Int,
    payUrl: Schema.NullOr(Schema.String),
  }),
  /** Money went back, to the card. `tokens` were not used yet and are taken back. */
  Schema.TaggedStruct("payment.refunded", { ...common, cents: Schema.Int, tokens: Schema.Int }),
  /** The bank took a payment back, or gave it back again. */
  Schema.TaggedStruct("payment.disputed", { ...common, cents: Schema.Int, tokens: Schema.Int, over: Schema.Boolean }),
  /** Service has ended, for want of payment or by cancellation; all data is kept until `deletesAt` (epoch ms). */
  Schema.TaggedStruct("service.ended", {
    ...common,
    why: Schema.Literals(["unpaid", "canceled", "refunded"]),
    deletesAt: Schema.Int,
  }),
  /** The data is deleted at `deletesAt` (epoch ms), a week from now, unless the customer comes back. */
  Schema.TaggedStruct("deletion.near", { ...common, deletesAt: Schema.Int }),
  /** Paid after all: the agent starts again. */
  Schema.TaggedStruct("service.resumed", common),
  /** The plan changed now (`at` the event's), or will when the running period ends. */
  Schema.TaggedStruct("plan.changed", {
    ...common,
    tier: SoldTierId,
    /** Epoch ms; null for at once. */
    from: Schema.NullOr(Schema.Int),
  }),
  /** The subscription ends at `endsAt` (epoch ms); null if that was taken back. */
  Schema.TaggedStruct("plan.canceled", { ...common, endsAt: Schema.NullOr(Schema.Int) }),
])
export type CustomerEvent = typeof CustomerEvent.Type
export const CustomerEventJson = Schema.fromJsonString(CustomerEvent)
