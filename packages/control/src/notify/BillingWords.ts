/** The sentences that tell what happened to a customer's money and plan, in mails and conversations alike. Pure. */
import { packs } from "@berth/domain/Packs"
import { headline, tiers } from "@berth/domain/Tiers"
import type { CustomerEvent } from "../api/Events.ts"
import { dayOf } from "./AlertWords.ts"
import { grouped } from "./TokenWords.ts"

type Tag =
  | "usage.capped"
  | "payment.received"
  | "payment.failed"
  | "payment.refunded"
  | "payment.disputed"
  | "service.ended"
  | "service.resumed"
  | "deletion.near"
  | "plan.changed"
  | "plan.canceled"
export type BillingEvent = Extract<CustomerEvent, { readonly _tag: Tag }>
type WithoutPlace<E> = E extends BillingEvent ? Omit<E, "seq" | "at"> : never

/** "$49", "$12.50". */
export const dollars = (cents: number): string => `$${(cents / 100).toFixed(cents % 100 === 0 ? 0 : 2)}`

const received = ({ what, cents, tier, pack }: WithoutPlace<BillingEvent> & { _tag: "payment.received" }): string => {
  const bought = pack !== null ? packs[pack].name : tier !== null ? headline(tiers[tier]) : "your plan"
  switch (what) {
    case "create":
      return `We received ${dollars(cents)} for ${bought}.`
    case "cycle":
      return `Your plan was renewed: ${dollars(cents)} for ${bought}.`
    case "update":
      return `We received ${dollars(cents)} for the change to ${bought}.`
    case "pack":
      return `We received ${dollars(cents)} for ${bought}. They don't expire at the end of the month.`
  }
}

const tookBack = (tokens: number): string =>
  tokens === 0 ? "" : ` ${grouped(tokens)} tokens that were not used go with it.`

const ended = {
  unpaid: "The last payment didn't come in",
  canceled: "Your plan has ended",
  refunded: "Your payment was refunded",
}

export const billingWords = (event: WithoutPlace<BillingEvent>): string => {
  switch (event._tag) {
    case "usage.capped":
      return `Your daily cap of ${grouped(event.cap)} tokens is reached. Your agent goes on at midnight UTC, or when you raise the cap.`
    case "payment.received":
      return received(event)
    case "payment.failed":
      return `We couldn't charge your card ${dollars(event.cents)} for the renewal. Your agent goes on until ${dayOf(event.endsAt)}.${event.payUrl === null ? "" : ` Please pay with another card by then: ${event.payUrl}`}`
    case "payment.refunded":
      return `We refunded ${dollars(event.cents)}.${tookBack(event.tokens)}`
    case "payment.disputed":
      return event.over
        ? `The dispute over ${dollars(event.cents)} is over, and everything is as it was.`
        : `Your bank took ${dollars(event.cents)} back.${tookBack(event.tokens)} If that was a mistake, please tell us.`
    case "service.ended":
      return `${ended[event.why]}, so your agent is stopped. Its data is kept until ${dayOf(event.deletesAt)}.`
    case "deletion.near":
      return `In a week, on ${dayOf(event.deletesAt)}, your agent and its data are deleted. You get a copy of the data first; paying before then brings the agent back.`
    case "service.resumed":
      return "All is paid. Your agent is starting again."
    case "plan.changed":
      return event.from === null
        ? `Your plan is ${headline(tiers[event.tier])} now.`
        : `From ${dayOf(event.from)} on your plan is ${headline(tiers[event.tier])}.`
    case "plan.canceled":
      return event.endsAt === null
        ? "Your plan goes on; the cancellation is taken back."
        : `Your plan ends on ${dayOf(event.endsAt)}. Until then your agent goes on as before.`
  }
}
