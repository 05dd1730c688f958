/**
 * What may stand in a chat completion request, and the body that goes upstream. PURE. Members of the top level are
 * checked in place and edited by splicing bytes; what is only passed on is never parsed or written again.
 * Invariant: a member that is not listed here never reaches the upstream, so no unmetered door opens by itself.
 */
import { isUtf8 } from "node:buffer"
import { type ModelId, models } from "@berth/domain/Tiers"
import * as Result from "effect/Result"
import { InvalidRequest } from "./Errors.ts"
import {
  malformed,
  maxDepth,
  maxMembers,
  type Member,
  membersOf,
  quote,
  skipValue,
  type Span,
  valueAt,
} from "./JsonSpans.ts"
import { type Report, skipMessages, skipTools } from "./RequestLists.ts"

export interface Shape {
  readonly model: string
  readonly stream: boolean
  /** The client asked for the usage chunk at the end of a stream; if not, it is not shown. */
  readonly wantsUsage: boolean
  /** The completion maximum that the client named, if any. */
  readonly completion: number | undefined
  /** Where the addresses of pictures lie, their data included: no text. */
  readonly pictures: ReadonlyArray<Span>
  /** The body for the upstream, which asks for at most `completion` tokens. */
  readonly upstream: (model: ModelId, completion: number) => Uint8Array
}

/** What a value is, as its first byte tells. `null` may stand for every member: it is the same as leaving it out. */
type Kind = "string" | "number" | "boolean" | "object" | "array"

const kindOf = (byte: number | undefined): Kind | "null" => {
  switch (byte) {
    case quote:
      return "string"
    case 0x7b:
      return "object"
    case 0x5b:
      return "array"
    case 0x74:
    case 0x66:
      return "boolean"
    case 0x6e:
      return "null"
    default:
      return "number"
  }
}

/**
 * How a member is treated: `pass`ed on as it is; `edit`ed, so written by us; `sample`: passed where the model leaves it
 * free; `drop`ped.
 */
interface Rule {
  readonly then: "pass" | "edit" | "sample" | "drop"
  /** None: a value of any kind, which `fault` then judges. */
  readonly kinds?: ReadonlyArray<Kind>
  /** What is wrong with a value that is not null. It is parsed for that, so it may not be long. */
  readonly fault?: (value: unknown) => string | undefined
}

const closed = (words: string): Rule => ({ then: "drop", fault: () => words })
const oneOnly: Rule = {
  then: "drop",
  fault: (value) => (value === 1 ? undefined : "Only one choice per request is offered: leave `n` out or set it to 1."),
}
const maximum = (key: string): Rule => ({
  then: "edit",
  fault: (value) =>
    Number.isSafeInteger(value) && Number(value) >= 1 ? undefined : `\`${key}\` must be a whole number of at least 1.`,
})
/** For what is parsed further on. */
const short = (): undefined => undefined
const stopFault = (value: unknown): string | undefined =>
  [value].flat().every((one) => typeof one === "string") ? undefined : "`stop` must be a string or an array of strings."
const sampling: Rule = { then: "sample", kinds: ["number"] }

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

/** `auto`, `none`, `required`, or one function of the client's own. */
const choiceFault = (value: unknown): string | undefined => {
  if (typeof value === "string") {
    return ["auto", "none", "required"].includes(value)
      ? undefined
      : "`tool_choice` must be auto, none or required, or name a function."
  }
  const { type, function: named } = record(value)
  const { name } = record(named)
  if (type !== "function" || typeof name !== "string")
    return "`tool_choice` must be auto, none or required, or name a function."
  return name.startsWith("$") ? "The provider's own tools, such as $web_search, are not offered." : undefined
}

/**
 * From Kimi's reference (platform.kimi.ai/docs/api/chat) and OpenAI's. What is not listed is dropped, among it
 * `service_tier`, `store`, `metadata`, `prediction`, `logprobs`, `prompt_cache_retention` and `cache_control`, some of
 * which are priced apart at one provider or another. `prompt_cache_key` only says what to cache together: neither model on
 * offer bills cache writes, unlike kimi-k3.1-pro, and reads are charged as cached tokens.
 */
const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    model: { then: "pass", kinds: ["string"], fault: short },
    // Looked into while they are scanned: see RequestLists.
    messages: { then: "pass" },
    tools: { then: "pass" },
    tool_choice: { then: "pass", kinds: ["string", "object"], fault: choiceFault },
    parallel_tool_calls: { then: "pass", kinds: ["boolean"] },
    response_format: { then: "pass", kinds: ["object"] },
    stop: { then: "pass", kinds: ["string", "array"], fault: stopFault },
    seed: { then: "pass", kinds: ["number"] },
    thinking: { then: "pass", kinds: ["object"] },
    reasoning_effort: { then: "pass", kinds: ["string"] },
    prompt_cache_key: { then: "pass", kinds: ["string"] },
    safety_identifier: { then: "pass", kinds: ["string"] },
    user: { then: "pass", kinds: ["string"] },
    stream: { then: "edit", kinds: ["boolean"] },
    stream_options: { then: "edit", kinds: ["object"], fault: short },
    max_tokens: maximum("max_tokens"),
    max_completion_tokens: maximum("max_completion_tokens"),
    temperature: sampling,
    top_p: sampling,
    presence_penalty: sampling,
    frequency_penalty: sampling,
    n: oneOnly,
    best_of: oneOnly,
    modalities: {
      then: "drop",
      fault: (value) =>
        Array.isArray(value) && value.every((one) => one === "text") ? undefined : "Only text output is offered.",
    },
    audio: closed("Audio output is not offered."),
    web_search_options: closed("The provider's web search is charged per call and is not offered."),
    functions: closed("`functions` is not offered: use `tools`."),
    function_call: closed("`function_call` is not offered: use `tool_choice`."),
  }),
)

/** Both models on offer refuse any sampling value but their own. */
const samplingLocked: Readonly<Record<ModelId, boolean>> = { "kimi-k2.6": true, "kimi-k2.7-code": true }

/** Bytes of a value that is parsed: longer ones are no use to anyone and would cost time. */
const maxParsed = 16 * 1024

const refuse = (message: string, param: string | null = null) => Result.fail(new InvalidRequest({ message, param }))

const articles: Readonly<Record<Kind, string>> = {
  string: "a string",
  number: "a number",
  boolean: "a boolean",
  object: "an object",
  array: "an array",
}

/** Why a member cannot stand, or undefined. Values are parsed only where they are short and matter. */
const faultOf = (bytes: Uint8Array, { key, valueFrom, to }: Member): string | undefined => {
  const rule = rules.get(key)
  if (rule === undefined) return undefined
  const kind = kindOf(bytes[valueFrom])
  if (kind === "null") return key === "model" || key === "messages" ? `\`${key}\` is missing.` : undefined
  const { kinds, fault } = rule
  if (kinds !== undefined && !kinds.includes(kind)) {
    return `\`${key}\` must be ${kinds.map((one) => articles[one]).join(" or ")}.`
  }
  if (fault === undefined) return undefined
  return to - valueFrom > maxParsed ? `\`${key}\` is too long.` : fault(valueAt(bytes, valueFrom, to))
}

/** Joins the kept members, byte for byte with whatever lies between neighbours, and puts ours after them. */
const splice = (bytes: Uint8Array, members: ReadonlyArray<Member>, kept: (member: Member) => boolean, ours: string) => {
  const pieces: Array<Uint8Array> = []
  let run: { from: number; to: number } | undefined
  const close = () => {
    if (run !== undefined) pieces.push(bytes.subarray(run.from, run.to), comma)
    run = undefined
  }
  for (const member of members) {
    if (!kept(member)) close()
    else if (run === undefined) run = { from: member.from, to: member.to }
    else run.to = member.to
  }
  close()
  return Buffer.concat([open, ...pieces, Buffer.from(`${ours}}`)])
}
const open = Buffer.from("{")
const comma = Buffer.from(",")

/** The members of a body, `messages` and `tools` looked into on the way; or what is wrong with it. */
const read = (bytes: Uint8Array, pictures: Array<Span>): Result.Result<ReadonlyArray<Member>, InvalidRequest> => {
  let fault: { message: string; param: string } | undefined
  const reporting =
    (param: string): Report =>
    (message) => {
      fault = { message, param }
      return malformed
    }
  const members = membersOf(bytes, (key, from, depth) =>
    key === "messages"
      ? skipMessages(bytes, from, depth, reporting(key), pictures)
      : key === "tools"
        ? skipTools(bytes, from, depth, reporting(key))
        : skipValue(bytes, from, depth),
  )
  if (fault !== undefined) return refuse(fault.message, fault.param)
  return members === undefined
    ? refuse(`The request body is not a JSON object of at most ${maxMembers} members, nested at most ${maxDepth} deep.`)
    : Result.succeed(members)
}

/** Checks a body and prepares it for the upstream. The model is checked against the tier by the caller. */
export const shapeOf = (bytes: Uint8Array): Result.Result<Shape, InvalidRequest> => {
  if (!isUtf8(bytes)) return refuse("The request body is not valid UTF-8.")
  const pictures: Array<Span> = []
  const found = read(bytes, pictures)
  if (Result.isFailure(found)) return Result.fail(found.failure)
  const members = found.success
  const byKey = new Map<string, Member>()
  for (const member of members) {
    if (member.escaped) return refuse("Top-level names must be written without escapes.")
    if (byKey.has(member.key)) return refuse(`\`${member.key.slice(0, 80)}\` is given twice.`, member.key.slice(0, 80))
    byKey.set(member.key, member)
    const fault = faultOf(bytes, member)
    if (fault !== undefined) return refuse(fault, member.key)
  }
  const valueOf = (key: string): unknown => {
    const member = byKey.get(key)
    return member === undefined ? undefined : valueAt(bytes, member.valueFrom, member.to)
  }
  const model = valueOf("model")
  if (typeof model !== "string") return refuse("`model` is missing.", "model")
  if (!byKey.has("messages")) return refuse("`messages` is missing.", "messages")
  const stream = valueOf("stream") === true
  const completion = valueOf("max_completion_tokens") ?? valueOf("max_tokens")
  return Result.succeed({
    model,
    stream,
    wantsUsage: record(valueOf("stream_options"))["include_usage"] === true,
    completion: typeof completion === "number" ? completion : undefined,
    pictures,
    upstream: (model, completion) =>
      splice(
        bytes,
        members,
        ({ key }) => {
          const then = rules.get(key)?.then
          return then === "pass" || (then === "sample" && !samplingLocked[model])
        },
        `"max_completion_tokens":${completion}` +
          (stream ? ',"stream":true,"stream_options":{"include_usage":true}' : ""),
      ),
  })
}

/** The least completion worth a call: a thinking model would spend less on thought alone. */
export const floorOf = (model: ModelId): number => (models[model].thinks ? 4_096 : 1_024)
