/**
 * What a scripted model can tell from a user's words, by plain rules: enough for the onboarding conversation to be had
 * without a model. PURE. The tool's own JSON schema says which facts are asked for, and by which names.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Property = Schema.Record(Schema.String, Schema.Unknown)
const Parameters = Schema.Struct({ properties: Schema.Record(Schema.String, Property) })
const decode = Schema.decodeUnknownOption(Parameters)

type Property = typeof Property.Type

/** A property and whatever its `anyOf` offers, so that a nullable one reads like a plain one. */
const variants = (property: Property): ReadonlyArray<Property> => {
  const branches = property["anyOf"] ?? property["oneOf"]
  return Array.isArray(branches) ? [property, ...(branches as ReadonlyArray<Property>)] : [property]
}
const typesOf = (property: Property): ReadonlyArray<unknown> => variants(property).flatMap((one) => one["type"] ?? [])
const choicesOf = (property: Property): ReadonlyArray<string> =>
  variants(property)
    .flatMap((one) => one["enum"] ?? one["const"] ?? [])
    .filter((one): one is string => typeof one === "string")

const code =
  /\b(?:code|coding|python|javascript|typescript|java|rust|golang|sql|prs?|pull requests?|reviews?|debug\w*|program\w*|script\w*|repos?|github|unit tests?)\b/i
const research =
  /\b(?:research\w*|papers?|articles?|news|summar\w+|reports?|analy[sz]\w+|compar\w+|sources?|market|literature)\b/i
const chat =
  /\b(?:chat\w*|talk\w*|companion|assistant|remind\w*|support|answer\w*|questions?|translat\w+|plan\w*|mails?)\b/i

const kinds: ReadonlyArray<readonly [pattern: RegExp, words: RegExp]> = [
  [code, /code|coding|dev|program/i],
  [research, /research|analy/i],
  [chat, /chat|talk|assist|personal|general|support/i],
]

const kindOf = (text: string, choices: ReadonlyArray<string>): string | undefined => {
  const matching = kinds.find(([pattern]) => pattern.test(text))
  if (matching === undefined) return undefined
  return choices.length > 0
    ? choices.find((one) => matching[1].test(one))
    : ["code", "research", "chat"][kinds.indexOf(matching)]
}

const spelled: ReadonlyArray<readonly [RegExp, number]> = [
  [/\bhundreds?\b/i, 200],
  [/\bdozens?\b/i, 40],
  [/\b(?:all day|a lot|heavily|constantly)\b/i, 150],
  [/\b(?:a few|some|now and then|occasionally|a couple)\b/i, 10],
]
const perDay = { hour: 10, day: 1, week: 1 / 7, month: 1 / 30 } as const

/** Messages a day, from "50 messages a day", "about 300 per week", "2k daily", or a bare number. */
const volumeOf = (text: string): number | undefined => {
  const named =
    /(\d[\d,.]*)\s*(k)?\s*(?:messages?|msgs?|requests?|questions?|chats?|times|prs?|mails?)?\s*(?:an?|per|each|every|\/)\s*(hour|day|week|month)/i.exec(
      text,
    ) ??
    /(\d[\d,.]*)\s*(k)?\s*(?:messages?|msgs?|requests?|questions?)?\s*daily/i.exec(text) ??
    /(\d[\d,.]*)\s*(k)?\s*(?:messages?|msgs?|requests?|questions?)/i.exec(text) ??
    /^\D{0,20}(\d[\d,]*)\s*(k)?\D{0,12}$/i.exec(text.trim())
  if (named !== null) {
    const amount = Number((named[1] ?? "").replace(/,/g, "").replace(/\.$/, "")) * (named[2] === undefined ? 1 : 1_000)
    const span = (named[3]?.toLowerCase() ?? "day") as keyof typeof perDay
    return Number.isFinite(amount) ? Math.max(1, Math.round(amount * perDay[span])) : undefined
  }
  return spelled.find(([pattern]) => pattern.test(text))?.[1]
}

const languages: ReadonlyArray<readonly [RegExp, string, string]> = [
  [/\p{Script=Han}/u, "Chinese", "zh"],
  [/\b(?:in german|auf deutsch)\b|\b(?:ich|und|bitte|möchte)\b/i, "German", "de"],
  [/\b(?:in french|en français)\b|\b(?:je|voudrais|bonjour)\b/i, "French", "fr"],
  [/\b(?:in spanish|en español)\b|\b(?:quiero|hola|necesito)\b/i, "Spanish", "es"],
  [/\bin english\b/i, "English", "en"],
]
const languageOf = (text: string, choices: ReadonlyArray<string>): string | undefined => {
  const found = languages.find(([pattern]) => pattern.test(text))
  if (found === undefined) return undefined
  const [, name, short] = found
  return choices.length === 0
    ? short
    : choices.find((one) => one.toLowerCase() === short || one.toLowerCase() === name.toLowerCase())
}

const emailOf = (text: string): string | undefined => /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/.exec(text)?.[0].replace(/\.$/, "")

/** Words that say what an agent is wanted for, if they do. Words of wishing alone count only where that was asked. */
const useCaseOf = (text: string, asked: boolean): string | undefined => {
  const rest = text.replace(/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, "").trim()
  const does =
    /\b(?:help|write|review|build|answer|manage|plan|summar\w+|research\w*|track|translate|draft|watch|code|coding|remind\w*|organi[sz]e)\b/i
  const wishes = /\b(?:want|need|use|learn|agent|assistant)\b/i
  const isSaid = does.test(rest) || (asked && wishes.test(rest))
  return isSaid && (rest.match(/\p{L}+/gu) ?? []).length >= 2 ? rest.slice(0, 300) : undefined
}

/** A plan that the user takes by its name, not one whose name is just a word of theirs. */
const planOf = (text: string, choices: ReadonlyArray<string>): string | undefined =>
  choices.find((one) =>
    new RegExp(
      `^\\W*${one}\\W*$|\\b(?:take|choose|want|pick|prefer|with)\\s+(?:the\\s+)?${one}\\b|\\b${one}\\s+(?:plan|tier)\\b`,
      "i",
    ).test(text),
  )

const read = (name: string, property: Property, text: string, asked: boolean): unknown => {
  const choices = choicesOf(property)
  const numeric = typesOf(property).some((one) => one === "number" || one === "integer")
  if (numeric) return /messages?|volume|day|daily|amount|count|requests?/i.test(name) ? volumeOf(text) : undefined
  if (/mail/i.test(name)) return emailOf(text)
  if (/lang/i.test(name)) return languageOf(text, choices)
  if (/tier|plan/i.test(name)) return planOf(text, choices)
  if (/kind|category|type|work/i.test(name) || choices.length > 0) return kindOf(text, choices)
  if (/case|purpose|goal|need|help|task|use|want/i.test(name)) return useCaseOf(text, asked)
  return undefined
}

/** The arguments for a tool that records facts; empty when the words hold none. `asked` names what was just asked for, if known. */
export const factsIn = (
  text: string,
  parameters: unknown,
  asked?: ReadonlyArray<string>,
): Readonly<Record<string, unknown>> => {
  const schema = Option.getOrUndefined(decode(parameters))
  const found: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    const value = read(name, property, text, asked?.includes(name) ?? true)
    if (value !== undefined) found[name] = value
  }
  return found
}
