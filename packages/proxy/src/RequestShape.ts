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
  elementsAt,
  isFilledArray,
  maxMembers,
  type Member,
  membersAt,
  membersOf,
  textOf,
  valueAt,
} from "./JsonSpans.ts"

export interface Shape {
  readonly model: string
  readonly stream: boolean
  /** The client asked for the usage chunk at the end of a stream; if not, it is not shown. */
  readonly wantsUsage: boolean
  /** The completion maximum that the client named, if any. */
  readonly completion: number | undefined
  /** The body for the upstream, which asks for at most `completion` tokens. */
  readonly upstream: (model: ModelId, completion: number) => Uint8Array
}

/**
 * How a member of the top level is treated; an unlisted one is dropped. `edited` ones are written by us, `sampling` ones
 * pass where the model leaves them free, a function says why a value is refused and drops the member otherwise.
 */
type Rule = "pass" | "edited" | "sampling" | ((value: unknown) => string | undefined)

const oneOnly = (value: unknown): string | undefined =>
  value === null || value === 1 ? undefined : "Only one choice per request is offered: leave `n` out or set it to 1."
const textOnly = (value: unknown): string | undefined =>
  value === null || (Array.isArray(value) && value.every((one) => one === "text"))
    ? undefined
    : "Only text output is offered."
const closed = (words: string) => (value: unknown) => (value === null ? undefined : words)

const rules: ReadonlyMap<string, Rule> = new Map(
  Object.entries<Rule>({
    model: "pass",
    messages: "pass",
    tools: "pass",
    tool_choice: "pass",
    parallel_tool_calls: "pass",
    response_format: "pass",
    stop: "pass",
    seed: "pass",
    thinking: "pass",
    reasoning_effort: "pass",
    prompt_cache_key: "pass",
    safety_identifier: "pass",
    user: "pass",
    stream: "edited",
    stream_options: "edited",
    max_tokens: "edited",
    max_completion_tokens: "edited",
    temperature: "sampling",
    top_p: "sampling",
    presence_penalty: "sampling",
    frequency_penalty: "sampling",
    n: oneOnly,
    best_of: oneOnly,
    modalities: textOnly,
    audio: closed("Audio output is not offered."),
    web_search_options: closed("The provider's web search is charged per call and is not offered."),
    functions: closed("`functions` is not offered: use `tools`."),
    function_call: closed("`function_call` is not offered: use `tool_choice`."),
  }),
)

/** Both models on offer refuse any sampling value but their own. */
const samplingLocked: Readonly<Record<ModelId, boolean>> = { "kimi-k2.6": true, "kimi-k2.7-code": true }

const refuse = (message: string, param: string | null = null) => Result.fail(new InvalidRequest({ message, param }))

const plainFunction = '"function"'
/** As many as the upstream takes. */
const maxTools = 128

/** Only functions that the client itself runs; the provider's own (`builtin_function`, names with `$`) are charged per call. */
const checkTools = (bytes: Uint8Array, member: Member): string | undefined => {
  const text = textOf(bytes, { from: member.valueFrom, to: member.to })
  if (text === "null") return undefined
  const tools = elementsAt(bytes, member.valueFrom)
  if (tools === undefined) return "`tools` must be an array."
  if (tools.length > maxTools) return `At most ${maxTools} tools are accepted.`
  const mayHide = text.includes("$") || text.includes("\\u")
  for (const tool of tools) {
    const members = membersAt(bytes, tool.from)
    if (members === undefined || members.some((one) => one.escaped)) return "Each of `tools` must be a plain object."
    const types = members.filter((one) => one.key === "type")
    const functions = members.filter((one) => one.key === "function")
    if (types.length !== 1 || functions.length !== 1) return "Each of `tools` must have one `type` and one `function`."
    if (types.some((one) => textOf(bytes, { from: one.valueFrom, to: one.to }) !== plainFunction)) {
      return 'Only tools of type "function" are offered; the provider\'s own, such as web search, are not.'
    }
    for (const { valueFrom } of functions) {
      const parts = membersAt(bytes, valueFrom)
      if (parts === undefined || parts.some((one) => one.escaped)) return "A tool's `function` must be a plain object."
      const names = parts.filter((one) => one.key === "name")
      if (names.length !== 1) return "A tool's `function` must have one `name`."
      for (const name of mayHide ? names : []) {
        if (String(valueAt(bytes, name.valueFrom, name.to)).startsWith("$")) {
          return "The provider's own tools, such as $web_search, are not offered."
        }
      }
    }
  }
  return undefined
}

/** Why a member cannot stand, or undefined. Values are parsed only where they are small and matter. */
const checkMember = (bytes: Uint8Array, member: Member): string | undefined => {
  const rule = rules.get(member.key)
  const value = (): unknown => valueAt(bytes, member.valueFrom, member.to)
  if (typeof rule === "function") return rule(value())
  switch (member.key) {
    case "model":
      return typeof value() === "string" ? undefined : "`model` must be a string."
    case "messages":
      return isFilledArray(bytes, member.valueFrom) ? undefined : "`messages` must be a non-empty array."
    case "tools":
      return checkTools(bytes, member)
    case "stream": {
      const stream = value()
      return stream === null || typeof stream === "boolean" ? undefined : "`stream` must be a boolean."
    }
    case "stream_options": {
      const options = value()
      return options === null || (typeof options === "object" && !Array.isArray(options))
        ? undefined
        : "`stream_options` must be an object."
    }
    case "max_tokens":
    case "max_completion_tokens": {
      const maximum = value()
      return maximum === null || (Number.isSafeInteger(maximum) && Number(maximum) >= 1)
        ? undefined
        : `\`${member.key}\` must be a whole number of at least 1.`
    }
    default:
      return undefined
  }
}

const asksForUsage = (options: unknown): boolean =>
  typeof options === "object" && options !== null && "include_usage" in options && options.include_usage === true

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

/** Checks a body and prepares it for the upstream. The model is checked against the tier by the caller. */
export const shapeOf = (bytes: Uint8Array): Result.Result<Shape, InvalidRequest> => {
  if (!isUtf8(bytes)) return refuse("The request body is not valid UTF-8.")
  const members = membersOf(bytes)
  if (members === undefined) return refuse(`The request body is not a JSON object of at most ${maxMembers} members.`)
  const byKey = new Map<string, Member>()
  for (const member of members) {
    if (member.escaped) return refuse("Top-level names must be written without escapes.")
    if (byKey.has(member.key)) return refuse(`\`${member.key}\` is given twice.`, member.key)
    byKey.set(member.key, member)
    const fault = checkMember(bytes, member)
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
    wantsUsage: asksForUsage(valueOf("stream_options")),
    completion: typeof completion === "number" ? completion : undefined,
    upstream: (model, completion) =>
      splice(
        bytes,
        members,
        ({ key }) => rules.get(key) === "pass" || (rules.get(key) === "sampling" && !samplingLocked[model]),
        `"max_completion_tokens":${completion}` +
          (stream ? ',"stream":true,"stream_options":{"include_usage":true}' : ""),
      ),
  })
}

/** The least completion worth a call: a thinking model would spend less on thought alone. */
export const floorOf = (model: ModelId): number => (models[model].thinks ? 4_096 : 1_024)
