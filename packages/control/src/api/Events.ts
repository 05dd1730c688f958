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
  Schema.TaggedStruct("suspended", { ...common, reasons: Schema.Array(Schema.String) }),
  Schema.TaggedStruct("deleted", common),
])
export type CustomerEvent = typeof CustomerEvent.Type
export const CustomerEventJson = Schema.fromJsonString(CustomerEvent)
