/**
 * Reads facts out of plain words, without a model: always run, so that nothing the customer said is lost when the model is
 * slow, down or talks nonsense. Pure. What was asked for decides how a bare "10" or "yes" is taken.
 */
import type { SoldTierId } from "@berth/domain/Tiers"
import type { Asked, SaidFacts } from "./Facts.ts"

/** What the customer wants of the conversation itself, besides telling facts. */
export type Intent = "yes" | "no" | "prices" | "newLink" | "change" | "none"

export interface Read {
  readonly facts: SaidFacts
  readonly intent: Intent
}

/** Taken when the customer cannot say: a usual working day. */
export const typicalMessagesPerDay = 10

const email = /[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,62}\.){1,8}[a-z]{2,24}/i
const yes =
  /^(?:y|ye[sp]|yeah|yup|sure|ok(?:ay)?|correct|right|exactly|that'?s me|it'?s me|go(?: ahead)?|let'?s (?:go|do it)|do it|sounds good|looks good|perfect|great|deal|accept(?:ed)?|i accept|agreed|set it up|i'?ll take it|take it|pay|checkout)\b/i
const no = /^(?:no+|nope|not me|that'?s not me|wrong|not now|later|wait)\b/i
const change = /\bchange\b/i
const prices = /\b(?:prices?|pricing|costs?|how much (?:is|does|do|would|for)|plans?|tiers?)\b/i
const newLink = /\b(?:new|another|fresh|send)\b[^.?!]{0,20}\blink\b|\blink\b[^.?!]{0,20}\b(?:expired|again|work)/i
const greeting =
  /^(?:hi|hey|hello|yo|hiya|good (?:morning|afternoon|evening)|thanks?|thank you|test)(?: there| berth)?[\s!.,?]*$/i
const wantsAgent =
  /^(?:(?:hi|hey|hello)[,!. ]+)?(?:i(?:'d| would)?\s*(?:want|like|need)(?: to (?:have|get|try))?|get me|give me)?\s*(?:an?|my(?: own)?|the)?\s*(?:personal |own |new )*(?:ai |openclaw )?\s*(?:agent|bot|assistant)s?[\s!.]*(?:please)?[\s!.]*$/i
const injection =
  /system prompt|ignore (?:all|any|your|the|previous|prior)|your (?:instructions|prompt)|developer mode/i

const tierNames: Readonly<Record<string, SoldTierId>> = { starter: "starter", pro: "pro", team: "team" }
const tierAlone = /^(?:the )?(starter|pro|team)(?: (?:plan|tier|one))?(?:,? please)?[\s!.]*$/i
const tierChosen =
  /\b(?:take|choose|pick|want|like|prefer|switch to|go (?:with|for)|upgrade to|downgrade to|give me|start with|rather have|use|have)\s+(?:the )?(starter|pro|team)(?=\s+(?:plan|tier|one|instead|for free|please|then|now)\b|[\s!.,]*$|[.,!;])/i
const tierPlan = /\b(?:the )?(starter|pro|team) (?:plan|tier)\b/i

const tierOf = (text: string): SoldTierId | undefined => {
  const match = tierAlone.exec(text) ?? tierChosen.exec(text) ?? tierPlan.exec(text)
  return tierNames[match?.[1]?.toLowerCase() ?? ""]
}

const numberWords: Readonly<Record<string, number>> = {
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  ten: 10,
  twelve: 12,
  fifteen: 15,
  twenty: 20,
  thirty: 30,
  fifty: 50,
  hundred: 100,
}
const vague: ReadonlyArray<readonly [RegExp, number]> = [
  [
    /\b(?:not sure|no idea|(?:do not|don'?t) know|dunno|unsure|hard to say|normal|average|usual)\b/i,
    typicalMessagesPerDay,
  ],
  [/\b(?:a )?couple(?: of)?\b/i, 3],
  [/\b(?:a )?few\b|\bhandful\b|\bnot (?:many|much|often)\b/i, 5],
  [/\bdozens\b/i, 30],
  [/\b(?:a )?dozen\b/i, 12],
  [/\bhundreds\b/i, 200],
  [/\b(?:a lot|lots|many|heavy|heavily|constantly|all day)\b/i, 40],
]

const bounded = (value: number): number | undefined =>
  Number.isFinite(value) && value >= 0 && value <= 10_000 ? Math.max(1, Math.ceil(value)) : undefined

const amount = String.raw`(?<!\d)(\d{1,5})(?:\s*(?:-|–|to|or)\s*(\d{1,5}))?`
const perDay = new RegExp(
  `${amount}\\+?\\s*(?:messages?|msgs?|requests?|questions?|times|texts?|prompts?|chats?)?\\s*(?:a|per|each|every|/)\\s*day\\b`,
  "i",
)
const daily = new RegExp(`${amount}\\+?\\s*(?:messages?|msgs?|requests?|questions?|times)?\\s*daily\\b`, "i")
const perWeek = new RegExp(
  `${amount}\\+?\\s*(?:messages?|msgs?|requests?|questions?|times)?\\s*(?:a|per|each|/)\\s*week`,
  "i",
)
const perHour = new RegExp(
  `${amount}\\+?\\s*(?:messages?|msgs?|requests?|questions?|times)?\\s*(?:an|a|per|/)\\s*hour`,
  "i",
)
const counted = new RegExp(`${amount}\\+?\\s*(?:messages?|msgs?|requests?|questions?)\\b`, "i")

const middle = (match: RegExpExecArray): number => {
  const low = Number(match[1])
  return match[2] === undefined ? low : (low + Number(match[2])) / 2
}

/** Messages a day, where a working day has 8 hours. */
const volumeOf = (text: string, isAsked: boolean): number | undefined => {
  const day = perDay.exec(text) ?? daily.exec(text)
  if (day !== null) return bounded(middle(day))
  const hour = perHour.exec(text)
  if (hour !== null) return bounded(middle(hour) * 8)
  const week = perWeek.exec(text)
  if (week !== null) return bounded(middle(week) / 7)
  const word = /\b([a-z]+) (?:messages?|times|questions?)? ?(?:a|per) day\b/i.exec(text)
  const named = numberWords[word?.[1]?.toLowerCase() ?? ""]
  if (named !== undefined) return named
  if (!isAsked) return undefined
  const count = counted.exec(text)
  if (count !== null) return bounded(middle(count))
  const numbers = [...text.replace(email, " ").matchAll(new RegExp(`(?<![\\w.])${amount}(?![\\w%])`, "g"))]
  const [only] = numbers
  if (numbers.length === 1 && only !== undefined) return bounded(middle(only as RegExpExecArray))
  const spelled = text
    .toLowerCase()
    .match(/[a-z]+/g)
    ?.find((one) => numberWords[one] !== undefined)
  if (spelled !== undefined && text.length < 40) return numberWords[spelled]
  return vague.find(([pattern]) => pattern.test(text))?.[1]
}

const correction = /^(?:actually|instead|rather|on second thought|change (?:that|it)|sorry|no)[,:;]?\s+(?:no,?\s+)?/i
const purpose =
  /\b(?:(?:should|to|can|will|could) (?:help|review|write|answer|plan|watch|translate|summari[sz]e|monitor|remind|manage|do)|help (?:me|us|my|our|with)|use it (?:for|to))\b/i

/** As much of it as is kept. A character of two units is not cut in half: no database takes half of one. */
const beginOf = (words: string): string => words.slice(0, 600).replace(/[\uD800-\uDBFF]$/, "")

/** A text that says nothing but a number, an address or a politeness is no use case. */
const useCaseOf = (text: string, isAsked: boolean, isKnown: boolean, rest: SaidFacts): string | undefined => {
  const words = text.replace(correction, "").trim()
  if (words.length < 3 || greeting.test(words) || wantsAgent.test(words) || injection.test(words)) return undefined
  if (isKnown) return correction.test(text) && purpose.test(words) ? beginOf(words) : undefined
  if (purpose.test(words)) return beginOf(words)
  if (!isAsked || /\[(?:bot token|API key)\]/.test(words)) return undefined
  if (/^[^.!]{0,80}\?$/.test(words) && !/\b(?:can|could|will) (?:it|you)\b/i.test(words)) return undefined
  const saidOther = rest.email !== undefined || rest.messagesPerDay !== undefined || rest.tier !== undefined
  if (saidOther && words.length < 60) return undefined
  return /\p{L}{3}/u.test(words) ? beginOf(words) : undefined
}

/** `text` is filtered of secrets already. */
export const readPlainly = (text: string, asked: ReadonlyArray<Asked>, knowsUseCase: boolean): Read => {
  const words = text.trim()
  const address = email.exec(words)?.[0]
  const volume = volumeOf(words, asked.includes("messagesPerDay"))
  const tier = tierOf(words)
  const said: SaidFacts = {
    ...(address === undefined ? {} : { email: address.toLowerCase() }),
    ...(volume === undefined ? {} : { messagesPerDay: volume }),
    ...(tier === undefined ? {} : { tier }),
  }
  const useCase = useCaseOf(words, asked.includes("useCase"), knowsUseCase, said)
  const intent: Intent = newLink.test(words)
    ? "newLink"
    : no.test(words)
      ? "no"
      : yes.test(words)
        ? "yes"
        : change.test(words)
          ? "change"
          : prices.test(words) && tier === undefined
            ? "prices"
            : "none"
  return { facts: useCase === undefined ? said : { ...said, useCase }, intent }
}
