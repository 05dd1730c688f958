/** What is missing, and how it is asked for: one or two things at a time, in an order that suits, in plain words. */
import type { Asked, Facts } from "../Facts.ts"
import { choices, type Reply, type State } from "./State.ts"

const groups: ReadonlyArray<ReadonlyArray<Exclude<Asked, "confirmTelegram">>> = [
  ["useCase"],
  ["messagesPerDay", "email"],
  ["bot"],
  ["telegram"],
]

/** What to ask for next; nothing when all is known. */
export const missing = (facts: Facts): ReadonlyArray<Exclude<Asked, "confirmTelegram">> =>
  groups.map((group) => group.filter((fact) => facts[fact] === null)).find((group) => group.length > 0) ?? []

export const greeting = "Hey! What do you want it to help you with?"

const volumes = choices(
  ["A few", "About 5 messages a day"],
  ["About 10", "About 10 messages a day"],
  ["About 30", "About 30 messages a day"],
  ["I don't know yet", "I don't know how many messages"],
)

const volumeQuestion = "About how many messages a day will you send it?"
const emailQuestion = "Which e-mail address should receipts and news about your agent go to?"

/** The question for what is missing, said after `statement`. */
export const askFor = (facts: Facts, statement: string): { readonly asked: State["asked"]; readonly reply: Reply } => {
  const asked = missing(facts)
  const reply = (question: string, cards: Reply["cards"] = []): Reply => ({ statement, question, cards })
  switch (asked[0]) {
    case "useCase":
      return { asked, reply: reply("What should your agent help you with?") }
    case "messagesPerDay":
      return {
        asked,
        reply: asked.includes("email")
          ? reply(`${volumeQuestion} And which e-mail address should receipts and news about it go to?`, [volumes])
          : reply(volumeQuestion, [volumes]),
      }
    case "email":
      return { asked, reply: reply(emailQuestion) }
    case "bot":
      return {
        asked,
        reply: reply(
          "Your agent talks through a Telegram bot of your own. Open BotFather, send /newbot, and paste the token it gives you here. I take it out of the chat and encrypt it at once.",
          [{ _tag: "BotFatherLink" }],
        ),
      }
    case "telegram":
      return {
        asked,
        reply: reply(
          "Last thing: open this link in Telegram and press Start, so that your agent answers you and nobody else.",
          [{ _tag: "TelegramLink" }],
        ),
      }
    default:
      return { asked, reply: reply("") }
  }
}

export const askConfirmation = (state: State, statement: string): Reply => {
  const person = state.pendingTelegram
  const name = person === null ? "" : person.username === null ? person.name : `@${person.username}`
  return {
    statement: [statement, `Is this you: ${name}?`].filter((part) => part !== "").join("\n\n"),
    question: "",
    cards: [choices(["Yes, that's me", "Yes, that's me"], ["No", "No, that's not me"])],
  }
}
