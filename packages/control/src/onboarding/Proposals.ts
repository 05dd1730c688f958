/**
 * What a model may contribute, and what not. Pure. Facts it proposes are taken only if they stand in the customer's own
 * words; a question it phrased only if it holds nothing that the core's did not: no price, number, tier or link.
 */
import { soldTiers, tiers } from "@berth/domain/Tiers"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { SaidFacts } from "./Facts.ts"
import { filterSecrets } from "./SecretFilter.ts"

const decode = Schema.decodeUnknownResult(SaidFacts)

/** `proposed` is the model's, `text` the customer's, filtered already. */
export const admissible = (proposed: unknown, text: string): SaidFacts => {
  const decoded = decode(proposed)
  if (Result.isFailure(decoded)) return {}
  const { email, messagesPerDay, tier, useCase } = decoded.success
  const words = text.toLowerCase()
  const isSaid = (word: string) => new RegExp(`(?<![\\p{L}\\d])${word}(?![\\p{L}\\d])`, "iu").test(text)
  return {
    ...(email !== undefined && words.includes(email.toLowerCase()) ? { email: email.toLowerCase() } : {}),
    ...(tier !== undefined && isSaid(tiers[tier].name) ? { tier } : {}),
    ...(messagesPerDay !== undefined && isSaid(String(messagesPerDay)) ? { messagesPerDay } : {}),
    ...(useCase === undefined ? {} : { useCase: filterSecrets(useCase).text }),
  }
}

const numbers = (text: string): ReadonlyArray<string> => text.match(/\d+/g) ?? []
const names = new RegExp(
  `\\b(?:${soldTiers.map((tier) => tiers[tier].name).join("|")})\\b|[$€£¥]|free|gratis|discount`,
  "gi",
)

/** Whether a model's wording may stand for the core's question. */
export const mayStandFor = (question: string, phrased: string): boolean => {
  const text = phrased.trim()
  const known = new Set(numbers(question))
  return (
    text !== "" &&
    text.length <= Math.max(280, question.length * 2) &&
    !/https?:|www\.|t\.me|[a-z0-9-]+\.(?:com|net|org|io|dev|ai|me|ru|cn)\b|[<>[\]{}`]/i.test(text) &&
    (text.match(names) ?? []).every((word) => question.toLowerCase().includes(word.toLowerCase())) &&
    numbers(text).every((number) => known.has(number)) &&
    (!question.includes("/newbot") || text.includes("/newbot")) &&
    filterSecrets(text).removed.length === 0
  )
}
