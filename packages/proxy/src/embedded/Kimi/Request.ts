/** What the embedded Kimi accepts, checked as the real one checks: its models, its locked sampling, its limits. PURE. */
import { type ModelId, models } from "@berth/domain/Tiers"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

const Part = Schema.Struct({ type: Schema.String, text: Schema.optionalKey(Schema.String) })
const Message = Schema.Struct({
  role: Schema.Literals(["system", "user", "assistant", "tool", "developer"]),
  content: Schema.optionalKey(Schema.NullOr(Schema.Union([Schema.String, Schema.Array(Part)]))),
})
const Tool = Schema.Struct({
  type: Schema.Literal("function"),
  function: Schema.Struct({ name: Schema.String, parameters: Schema.optionalKey(Schema.Unknown) }),
})
const optional = <S extends Schema.Constraint>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

const Body = Schema.Struct({
  model: Schema.String,
  messages: Schema.NonEmptyArray(Message),
  tools: optional(Schema.Array(Tool)),
  tool_choice: optional(Schema.Unknown),
  stream: optional(Schema.Boolean),
  stream_options: optional(Schema.Struct({ include_usage: Schema.optionalKey(Schema.Boolean) })),
  max_completion_tokens: optional(Schema.Int),
  max_tokens: optional(Schema.Int),
  temperature: optional(Schema.Finite),
  top_p: optional(Schema.Finite),
  n: optional(Schema.Int),
  presence_penalty: optional(Schema.Finite),
  frequency_penalty: optional(Schema.Finite),
})
export type Body = typeof Body.Type
export type Tool = typeof Tool.Type

const decode = Schema.decodeUnknownOption(Body)

export interface Rejected {
  readonly status: number
  readonly type: string
  readonly message: string
}

export interface Accepted {
  readonly body: Body
  readonly model: ModelId
  readonly maximum: number
}

/** The only value that a locked parameter may have. */
const locked: ReadonlyArray<readonly [keyof Body, number]> = [
  ["temperature", 1],
  ["top_p", 0.95],
  ["n", 1],
  ["presence_penalty", 0],
  ["frequency_penalty", 0],
]

const isModel = (id: string): id is ModelId => Object.hasOwn(models, id)

export const accept = (value: unknown): Result.Result<Accepted, Rejected> => {
  const invalid = (message: string) => Result.fail({ status: 400, type: "invalid_request_error", message })
  const body = Option.getOrUndefined(decode(value))
  if (body === undefined) return invalid("Invalid request: the body does not have the expected shape")
  if (!isModel(body.model)) {
    return Result.fail({
      status: 404,
      type: "resource_not_found_error",
      message: `Not found the model ${body.model} or Permission denied`,
    })
  }
  for (const [name, only] of locked) {
    const given = body[name]
    if (given !== undefined && given !== null && given !== only) {
      return invalid(`invalid ${name}: only ${only} is allowed for this model`)
    }
  }
  const maximum = body.max_completion_tokens ?? body.max_tokens ?? 32_768
  if (maximum < 1) return invalid("invalid max_completion_tokens: must be at least 1")
  return Result.succeed({ body, model: body.model, maximum })
}

/** The plain text of a message, its parts joined. */
export const textOf = (message: Body["messages"][number]): string =>
  typeof message.content === "string"
    ? message.content
    : (message.content ?? []).map((part) => part.text ?? "").join("\n")
