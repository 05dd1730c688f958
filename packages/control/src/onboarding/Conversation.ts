/**
 * The onboarding conversation, pure: (state, event) → state, replies, effects. Nothing here reads a clock, makes an id or
 * calls anybody. Invariants: price and tier come from the catalogue alone; the Telegram user from a link and a "yes" of
 * the channel that began; after payment no fact changes any more (the own bot's new token is none).
 */
import { headline, tiers } from "@berth/domain/Tiers"
import { askConfirmation, askFor, greeting, missing } from "./Conversation/Asking.ts"
import { afterPayment, botTokenReplaced, isPaid, otherBot, told, waitingForPayment } from "./Conversation/Following.ts"
import { checkoutFailed, checkoutOpened, offer, orderPlaced, placeOrder, priceList } from "./Conversation/Offering.ts"
import { type BotCheck, choices, type ConversationEvent, type Outcome, type State } from "./Conversation/State.ts"
import type { Facts } from "./Facts.ts"

type Said = Extract<ConversationEvent, { _tag: "Said" }>

const nothing = (state: State): Outcome => ({ state, replies: [], effects: [] })

const refusals: Readonly<Record<Extract<BotCheck, { _tag: "Refused" }>["reason"], string>> = {
  unknown: "Telegram does not know that token. Copy it once more from BotFather.",
  notBot: "That token does not belong to a bot.",
  otherId: "That token is not complete. Copy the whole line from BotFather.",
  inUse: "That bot is already connected to another service. Make a new one, or disconnect it there first.",
  platform: "That is a bot of ours. Make one of your own in BotFather.",
  unreachable: "Telegram did not answer, so I could not check the token. Please paste it again in a moment.",
}

/** Merges what a message says; what changed, in words that repeat nothing that could be forged. */
const merge = (facts: Facts, said: Said): { readonly facts: Facts; readonly notes: ReadonlyArray<string> } => {
  const next: Facts = {
    ...facts,
    ...said.facts,
    bot: said.bot?._tag === "Accepted" ? { id: said.bot.id, username: said.bot.username } : facts.bot,
  }
  const notes = [
    next.email !== facts.email && next.email !== null ? `I'll write to ${next.email}.` : "",
    next.messagesPerDay !== facts.messagesPerDay && next.messagesPerDay !== null
      ? `${next.messagesPerDay} a day, noted.`
      : "",
    next.tier !== facts.tier && next.tier !== null ? `${headline(tiers[next.tier])} it is.` : "",
    said.bot?._tag === "Accepted" ? `@${said.bot.username} is yours, its token is encrypted.` : "",
    said.bot?._tag === "Refused" ? refusals[said.bot.reason] : "",
    facts.useCase !== null && next.useCase !== facts.useCase ? "Changed." : "",
  ]
  return { facts: next, notes: notes.filter((note) => note !== "") }
}

const secretsNote = (said: Said): ReadonlyArray<string> => {
  const others = said.removed.filter((kind) => kind !== "bot token")
  return others.length === 0
    ? []
    : [`Your message held what looks like a secret (${others.join(", ")}). I removed it and kept nothing of it.`]
}

const confirming = (state: State, said: Said, statement: string): Outcome | undefined => {
  const person = state.pendingTelegram
  if (person === null) return undefined
  // Who opened the link may be anybody; only the channel that asked for it can say that it was the customer.
  if (said.via !== state.channel) {
    const words = "Please answer where you began: on the page, say whether this Telegram account is yours."
    return { state, replies: [{ statement: words, question: "", cards: [] }], effects: [] }
  }
  if (said.intent === "yes") {
    const facts = { ...state.facts, telegram: person }
    const next = proceed({ ...state, facts, pendingTelegram: null, telegramChat: person.userId }, statement)
    return { ...next, effects: [{ _tag: "BindTelegram", person }, ...next.effects] }
  }
  if (said.intent === "no")
    return proceed({ ...state, pendingTelegram: null }, "Then that was somebody else. Here is a new link.")
  return undefined
}

/** Asks for what is missing, or makes the offer. */
const proceed = (state: State, statement: string): Outcome => {
  if (state.pendingTelegram !== null) {
    const reply = askConfirmation(state, statement)
    return { state: { ...state, stage: "gathering", asked: ["confirmTelegram"] }, replies: [reply], effects: [] }
  }
  if (missing(state.facts).length === 0) return offer(state, statement)
  const { asked, reply } = askFor(state.facts, statement)
  return { state: { ...state, stage: "gathering", asked }, replies: [reply], effects: [] }
}

const heard = (before: State, said: Said): Outcome => {
  if (isPaid(before)) {
    if (said.bot?._tag === "Accepted")
      return { state: before, replies: [], effects: [{ _tag: "ReplaceBotToken", username: said.bot.username }] }
    const refused = said.bot === null ? [] : [refusals[said.bot.reason]]
    return afterPayment(before, [...refused, ...secretsNote(said)].join(" "))
  }
  const { facts, notes } = merge(before.facts, said)
  const changed = JSON.stringify(facts) !== JSON.stringify(before.facts)
  const state = { ...before, facts }
  const statement = [...notes, ...secretsNote(said), ...(said.intent === "prices" ? [priceList()] : [])].join(" ")
  const withSeal = (outcome: Outcome): Outcome =>
    said.bot?._tag === "Accepted" ? { ...outcome, effects: [{ _tag: "SealBotToken" }, ...outcome.effects] } : outcome

  const takesOffer = before.stage === "offered" && said.facts.tier === before.offered && before.offered !== null
  if (takesOffer && Object.keys(said.facts).length === 1 && said.bot === null) return placeOrder(state, before.offered)
  const confirmed = confirming(state, said, statement)
  if (confirmed !== undefined) return withSeal(confirmed)
  if (!changed && before.stage === "offered" && before.offered !== null) {
    if (said.intent === "yes") return withSeal(placeOrder(state, before.offered))
    const question = said.intent === "no" ? "What would you like to change?" : "Shall I set it up, or change something?"
    const cards = [choices(["Yes, set it up", "Yes, set it up"])]
    return withSeal({ state, replies: [{ statement, question, cards }], effects: [] })
  }
  if (!changed && before.stage === "checkout")
    return withSeal(waitingForPayment(state, statement, said.intent === "change"))
  const lost = !changed && statement === "" && said.intent === "none" && before.asked.length > 0
  return withSeal(proceed(state, lost ? "I didn't get an answer to my question out of that." : statement))
}

/** The next state, what is said, and what is to be done. */
export const step = (state: State, event: ConversationEvent): Outcome => {
  switch (event._tag) {
    case "Opened":
      return {
        state: {
          ...state,
          asked: ["useCase"],
          facts: { ...state.facts, telegram: event.person },
          telegramChat: event.person?.userId ?? null,
        },
        replies: [{ statement: greeting, question: "", cards: [] }],
        effects: [],
      }
    case "Said":
      return heard(state, event)
    case "TelegramOpened": {
      if (isPaid(state)) return nothing(state)
      if (state.facts.telegram?.userId === event.person.userId) return nothing(state)
      return proceed({ ...state, pendingTelegram: event.person }, "")
    }
    case "OrderPlaced":
      return orderPlaced(state, event.orderId)
    case "AlreadyCustomer":
      return afterPayment({ ...state, stage: "paid", orderId: event.orderId }, "You have an agent already.")
    case "BotTokenReplaced":
      return botTokenReplaced(state)
    case "OtherBot":
      return otherBot(state, event.username)
    case "CheckoutOpened":
      return checkoutOpened(state, event.orderId, event.url)
    case "CheckoutFailed":
      return checkoutFailed(state, event.orderId)
    case "Told":
      return event.event.seq <= state.followed ? nothing(state) : told(state, event.event)
  }
}
