/** The offer and what follows from accepting it. Every price and tier in these words comes from the catalogue. */
import { headline, type SoldTierId, soldTiers, tiers } from "@berth/domain/Tiers"
import { advise } from "../Advice.ts"
import { choices, type Outcome, type State } from "./State.ts"

export const priceList = (): string =>
  `The plans are:\n${soldTiers.map((tier) => `• ${headline(tiers[tier])}`).join("\n")}\nUsage stops at the limit: there is no overage bill.`

const accept = choices(["Yes, set it up", "Yes, set it up"])

/** Puts the offer that follows from the facts, said after `statement`. */
export const offer = (state: State, statement: string): Outcome => {
  const advice = advise(state.facts.messagesPerDay ?? 1, state.facts.tier)
  const words = headline(tiers[advice.tier])
  return {
    state: { ...state, stage: "offered", asked: [], offered: advice.tier, orderId: null, checkoutUrl: null },
    effects: [],
    replies: [
      {
        statement: [statement, `Here's your setup: ${words}. ${advice.reason}`]
          .filter((part) => part !== "")
          .join("\n\n"),
        question: "Shall I set it up like this?",
        cards: [
          {
            _tag: "Offer",
            tier: advice.tier,
            headline: words,
            reason: advice.reason,
            expectedTokens: advice.expectedTokens,
            alternatives: soldTiers
              .filter((tier) => tier !== advice.tier)
              .map((tier) => ({ tier, headline: headline(tiers[tier]) })),
          },
          accept,
        ],
      },
    ],
  }
}

/** The customer takes what was offered. The order comes first, its payment page once the order stands. */
export const placeOrder = (state: State, tier: SoldTierId): Outcome => ({
  state: { ...state, stage: "checkout", offered: tier, asked: [], orderId: null, checkoutUrl: null },
  replies: [],
  effects: [{ _tag: "PlaceOrder", tier }],
})

export const orderPlaced = (state: State, orderId: string): Outcome => ({
  state: { ...state, orderId },
  replies: [],
  effects: [{ _tag: "OpenCheckout", orderId }],
})

export const checkoutOpened = (state: State, orderId: string, url: string): Outcome => {
  // An answer for an order that was replaced, or already shown, says nothing new.
  if (state.stage !== "checkout" || state.orderId !== orderId || state.checkoutUrl === url || state.offered === null) {
    return { state, replies: [], effects: [] }
  }
  const words = headline(tiers[state.offered])
  const card = { _tag: "Checkout" as const, orderId, headline: words, url }
  return {
    state: { ...state, checkoutUrl: url },
    replies: [{ statement: `${words}. Pay here and I start setting it up.`, question: "", cards: [card] }],
    effects: [],
  }
}

export const checkoutFailed = (state: State, orderId: string): Outcome =>
  state.stage !== "checkout" || state.orderId !== orderId || state.checkoutUrl !== null
    ? { state, replies: [], effects: [] }
    : {
        state,
        replies: [
          {
            statement: "The payment page can't be opened right now. Nothing was charged.",
            question: "Try again in a moment?",
            cards: [choices(["Try again", "Yes, try again"])],
          },
        ],
        effects: [],
      }
