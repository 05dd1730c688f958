/**
 * What a page knows from the event stream. Pure. Invariant: each event is applied once and in order; a repeat changes
 * nothing, and a hole is never stepped over: `receive` then asks for the stream again from the last seq applied.
 */
import type { Step } from "@berth/domain/Lifecycle"
import type { CustomerEvent } from "../../api/Events.ts"
import type { Message } from "../../api/Messages.ts"

/** An event of a kind that this page is too old to know: it only moves the place in the stream. */
export interface UnknownEvent {
  readonly _tag: "unknown"
  readonly seq: number
}

export type UsageAlert = Extract<CustomerEvent, { readonly _tag: "usage.alert" }>

export interface Journey {
  /** The last seq applied: what to resume after. */
  readonly seq: number
  /** Nothing came over this connection yet, so whatever comes first follows `seq` as the server sees it. */
  readonly fresh: boolean
  readonly messages: ReadonlyArray<{ readonly conversationId: string; readonly message: Message }>
  /** Epoch ms. */
  readonly paidAt: number | null
  /** The steps of the latest provisioning, as they were reported. */
  readonly run: ReadonlyArray<{ readonly step: Step; readonly at: number }>
  readonly live: { readonly botUsername: string; readonly at: number } | null
  readonly failure: { readonly message: string; readonly retriable: boolean; readonly at: number } | null
  /** What is wrong with the agent that runs, by reason. */
  readonly troubles: ReadonlyArray<string>
  readonly suspended: ReadonlyArray<string>
  readonly deleted: boolean
  /** The latest word on how much of a period's tokens is used. */
  readonly alert: UsageAlert | null
}

export const start: Journey = {
  seq: 0,
  fresh: true,
  messages: [],
  paidAt: null,
  run: [],
  live: null,
  failure: null,
  troubles: [],
  suspended: [],
  deleted: false,
  alert: null,
}

/** The stream is about to be read again after `journey.seq`. */
export const connected = (journey: Journey): Journey => ({ ...journey, fresh: true })

const apply = (journey: Journey, event: CustomerEvent | UnknownEvent): Journey => {
  switch (event._tag) {
    case "message":
      return {
        ...journey,
        messages: [...journey.messages, { conversationId: event.conversationId, message: event.message }],
      }
    case "paid":
      return { ...journey, paidAt: event.at, deleted: false }
    case "step": {
      const reported = { step: event.step, at: event.at }
      if (event.step === "Namespace") return { ...journey, run: [reported], failure: null }
      if (journey.run.some(({ step }) => step === event.step)) return journey
      return { ...journey, run: [...journey.run, reported], failure: null }
    }
    case "active":
      return {
        ...journey,
        live: { botUsername: event.botUsername, at: event.at },
        failure: null,
        suspended: [],
        deleted: false,
      }
    case "failed":
      return { ...journey, failure: { message: event.message, retriable: event.retriable, at: event.at }, troubles: [] }
    case "troubled":
      return { ...journey, troubles: [...journey.troubles.filter((reason) => reason !== event.reason), event.reason] }
    case "recovered":
      return { ...journey, troubles: journey.troubles.filter((reason) => reason !== event.reason) }
    case "suspended":
      return { ...journey, suspended: event.reasons, troubles: [] }
    case "deprovisioning":
      return { ...journey, troubles: [] }
    case "exported":
      return journey
    case "deleted":
      return { ...start, seq: journey.seq, messages: journey.messages, deleted: true }
    case "usage.alert":
      return { ...journey, alert: event }
    case "unknown":
    // Told by the billing page, which asks anew when they come.
    case "usage.capped":
    case "payment.received":
    case "payment.failed":
    case "payment.refunded":
    case "payment.disputed":
    case "service.ended":
    case "service.resumed":
    case "deletion.near":
    case "plan.changed":
    case "plan.canceled":
      return journey
  }
}

export type Received =
  | { readonly _tag: "Applied"; readonly journey: Journey }
  | { readonly _tag: "Repeated"; readonly journey: Journey }
  | { readonly _tag: "Missing"; readonly after: number }

export const receive = (journey: Journey, event: CustomerEvent | UnknownEvent): Received => {
  if (event.seq <= journey.seq) return { _tag: "Repeated", journey: { ...journey, fresh: false } }
  if (!journey.fresh && event.seq !== journey.seq + 1) return { _tag: "Missing", after: journey.seq }
  return { _tag: "Applied", journey: { ...apply(journey, event), seq: event.seq, fresh: false } }
}
