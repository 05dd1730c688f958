/**
 * What a customer is told, in order: rows of customer_events, sent over the WebSocket `/api/events?after=<seq>`, which
 * resumes after the last seq seen without losing or repeating one.
 */
import { Step } from "@berth/domain/Lifecycle"
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
])
export type CustomerEvent = typeof CustomerEvent.Type
export const CustomerEventJson = Schema.fromJsonString(CustomerEvent)
