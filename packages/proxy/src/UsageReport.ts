/**
 * What one decoded piece of an upstream's answer says: its token counts, in both spellings that Kimi uses, and whether it
 * is an error in disguise. PURE. The finish chunk carries the counts under `choices[0]`, the trailing chunk at the top
 * level, sometimes both and equal: the last one read counts, never a sum.
 */
import type { Usage } from "@berth/domain/Usage"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const optional = Schema.optionalKey(Schema.NullOr(Count))

const Reported = Schema.Struct({
  prompt_tokens: Count,
  completion_tokens: Count,
  cached_tokens: optional,
  prompt_tokens_details: Schema.optionalKey(Schema.NullOr(Schema.Struct({ cached_tokens: optional }))),
  completion_tokens_details: Schema.optionalKey(Schema.NullOr(Schema.Struct({ reasoning_tokens: optional }))),
})

const decode = Schema.decodeUnknownOption(Reported)

/** Undefined if this is no usage object at all. */
export const usageOf = (reported: unknown): Usage | undefined => {
  const usage = Option.getOrUndefined(decode(reported))
  if (usage === undefined) return undefined
  return {
    prompt: usage.prompt_tokens,
    cached: Math.max(usage.cached_tokens ?? 0, usage.prompt_tokens_details?.cached_tokens ?? 0),
    completion: usage.completion_tokens,
    reasoning: usage.completion_tokens_details?.reasoning_tokens ?? 0,
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

export interface Chunk {
  readonly usage: Usage | undefined
  /** The chunk exists only because usage was asked for: no choices, only counts. */
  readonly usageOnly: boolean
  /** Its counts, if it has any, are those of the whole answer: they came alone or with the reason to finish. */
  readonly final: boolean
  /** It carries something of an answer, more than the role of who speaks. */
  readonly begins: boolean
  /** It is no part of an answer but an error: `{"error": …}`. */
  readonly failed: boolean
}

const isText = (value: unknown): boolean => typeof value === "string" && value !== ""

/** A role alone, or nothing at all, is no beginning. */
const isBegun = (choice: unknown): boolean => {
  if (!isRecord(choice)) return true
  if (isText(choice["finish_reason"])) return true
  const part = choice["delta"] ?? choice["message"]
  return (
    isRecord(part) &&
    Object.entries(part).some(([key, value]) => key !== "role" && value !== null && (isText(value) || isRecord(value)))
  )
}

/** Reads one decoded chunk of a stream. */
export const chunkOf = (value: unknown): Chunk => {
  if (!isRecord(value)) return { usage: undefined, usageOnly: false, final: false, begins: true, failed: false }
  const choices = Array.isArray(value["choices"]) ? (value["choices"] as ReadonlyArray<unknown>) : undefined
  const first = choices?.[0]
  const top = usageOf(value["usage"])
  const own = isRecord(first) ? usageOf(first["usage"]) : undefined
  return {
    usage: top ?? own,
    usageOnly: choices?.length === 0 && top !== undefined,
    final: choices?.length === 0 || (isRecord(first) && isText(first["finish_reason"])),
    begins: (top ?? own) !== undefined || (choices?.some(isBegun) ?? false),
    failed: isError(value["error"]) || value["object"] === "error",
  }
}

const isError = (value: unknown): boolean => value !== undefined && value !== null && value !== false
