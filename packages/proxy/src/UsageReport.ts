/**
 * The token counts in an upstream's answer, in both spellings that Kimi uses. PURE. The finish chunk carries them under
 * `choices[0]`, the trailing chunk at the top level, sometimes both and equal: the last one read counts, never a sum.
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
  /** Bytes of text, thought and tool arguments that it carries. */
  readonly textBytes: number
}

const textKeys = ["content", "reasoning_content"] as const

const textBytesOf = (choice: unknown): number => {
  const part = isRecord(choice) ? (choice["delta"] ?? choice["message"]) : undefined
  if (!isRecord(part)) return 0
  let bytes = 0
  for (const key of textKeys) {
    const text = part[key]
    if (typeof text === "string") bytes += Buffer.byteLength(text)
  }
  const calls = part["tool_calls"]
  return calls === undefined ? bytes : bytes + Buffer.byteLength(JSON.stringify(calls))
}

/** Reads one decoded chunk of a stream, or a whole answer. */
export const chunkOf = (value: unknown): Chunk => {
  if (!isRecord(value)) return { usage: undefined, usageOnly: false, textBytes: 0 }
  const choices = Array.isArray(value["choices"]) ? (value["choices"] as ReadonlyArray<unknown>) : undefined
  const first = choices?.[0]
  const top = usageOf(value["usage"])
  return {
    usage: top ?? (isRecord(first) ? usageOf(first["usage"]) : undefined),
    usageOnly: choices?.length === 0 && top !== undefined,
    textBytes: choices?.reduce<number>((bytes, choice) => bytes + textBytesOf(choice), 0) ?? 0,
  }
}
