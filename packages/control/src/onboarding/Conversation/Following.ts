/** After payment: what happens to the agent, told as it happens, up to "Your agent is live!". */
import type { CustomerEvent } from "../../api/Events.ts"
import { alertWords, dayOf, meaning } from "../../notify/AlertWords.ts"
import { billingWords } from "../../notify/BillingWords.ts"
import { liveWords } from "../../notify/LiveWords.ts"
import { sizeWords } from "../../notify/SizeWords.ts"
import { choices, type Outcome, type Reply, type State } from "./State.ts"

const say = (statement: string, cards: Reply["cards"] = []): ReadonlyArray<Reply> => [
  { statement, question: "", cards },
]

/** Takes one customer event; events come in order and each once. */
export const told = (before: State, event: CustomerEvent): Outcome => {
  const state: State = { ...before, followed: Math.max(before.followed, event.seq) }
  const become = (next: Partial<State>, replies: ReadonlyArray<Reply> = []): Outcome => ({
    state: { ...state, ...next },
    replies,
    effects: [],
  })
  switch (event._tag) {
    case "message":
      return become({})
    case "paid":
      return become(
        { stage: "paid", orderId: event.orderId, asked: [], pendingTelegram: null },
        say("Payment received. I'm setting up your agent now; it takes a minute or two."),
      )
    case "step":
      return become(
        { lastStep: event.step },
        event.step === "Deployment" && state.lastStep !== "Deployment" && state.stage === "paid"
          ? say("Its space is ready and locked to you. Starting the agent.")
          : [],
      )
    case "active":
      return state.stage === "live"
        ? become({}, say(`Your agent is running. Message @${event.botUsername}`))
        : become(
            { stage: "live" },
            say(liveWords(event.botUsername), [{ _tag: "Live", botUsername: event.botUsername }]),
          )
    case "failed":
      return become(
        { stage: state.stage === "live" ? "live" : "failed" },
        say(
          `Setting up your agent failed: ${event.message} ` +
            (event.retriable ? "It is being tried again." : "We have been told and will get in touch."),
        ),
      )
    case "troubled":
      return become({}, say(event.message))
    case "recovered":
      return become({}, say(event.message))
    case "suspended":
      return become(
        {},
        say(
          `Your agent is suspended${event.reasons.length === 0 ? "" : ` (${event.reasons.join(", ")})`}. Its data is kept.`,
        ),
      )
    case "deprovisioning":
      return become({}, say("Your agent stops now. Its data is exported for you, then all of it is deleted."))
    case "exported":
      return become(
        {},
        say(
          `Your agent's data is exported (${sizeWords(event.size)}). We mail you a link, and it stands on your usage page; it works until ${dayOf(event.expiresAt)}.`,
        ),
      )
    case "deleted":
      return become({}, say("Your agent and its data are deleted."))
    case "usage.alert":
      return become({}, say(`${alertWords(event.percent)} ${meaning(event.percent, event.resetsAt)}`))
    case "usage.capped":
    case "payment.failed":
    case "payment.refunded":
    case "payment.disputed":
    case "service.ended":
    case "service.resumed":
    case "deletion.near":
    case "plan.changed":
    case "plan.canceled":
      return become({}, say(billingWords(event)))
    case "payment.received":
      // Of the first payment `paid` has told already.
      return become({}, event.what === "create" ? [] : say(billingWords(event)))
  }
}

/** From here on no fact changes any more. */
export const isPaid = ({ stage }: State): boolean => stage === "paid" || stage === "live" || stage === "failed"

/** The customer sent the bot's new token, as asked for when Telegram rejects the one before. */
export const botTokenReplaced = (state: State): Outcome => ({
  state,
  replies: say("Thank you, that token works and is encrypted. Your agent restarts with it; give it a minute."),
  effects: [],
})

export const otherBot = (state: State, username: string | null): Outcome => ({
  state,
  replies: say(
    username === null
      ? "Your agent is not set up yet. Please send the token again when it is."
      : `That is the token of another bot. Your agent answers as @${username}: please send the token of that one.`,
  ),
  effects: [],
})

/** What a message gets once there is nothing left to gather. */
export const afterPayment = (state: State, statement: string): Outcome => {
  const bot = state.facts.bot?.username ?? "your bot"
  const words =
    state.stage === "live"
      ? `Your agent is live: message @${bot} in Telegram.`
      : state.stage === "failed"
        ? "Setting up your agent ran into a problem. We are on it, and you will hear here and by e-mail."
        : "Your agent is being set up. You will hear here and by e-mail as soon as it is live."
  return {
    state,
    replies: say([statement, words].filter((part) => part !== "").join("\n\n")),
    effects: [],
  }
}

/** The order is placed and its payment page stands or is being opened. */
export const waitingForPayment = (state: State, statement: string, wantsChange: boolean): Outcome => {
  if (wantsChange) {
    const question =
      "What would you like to change: what it helps with, how much you write, the e-mail, the bot or the plan?"
    return { state, replies: [{ statement, question, cards: [] }], effects: [] }
  }
  if (state.orderId === null) return { state, replies: say(statement), effects: [] }
  if (state.checkoutUrl === null) {
    return {
      state,
      replies: statement === "" ? [] : say(statement),
      effects: [{ _tag: "OpenCheckout", orderId: state.orderId }],
    }
  }
  return {
    state,
    replies: [
      {
        statement: [statement, "Your payment page is open above. As soon as it is paid I start setting up your agent."]
          .filter((part) => part !== "")
          .join("\n\n"),
        question: "",
        cards: [choices(["Change something", "I want to change something"])],
      },
    ],
    effects: [],
  }
}
