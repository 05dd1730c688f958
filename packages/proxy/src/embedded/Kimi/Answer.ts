/** An answer in Kimi's own form: the chunks of a stream, or one piece. PURE. The usage comes twice, as Kimi K3 sends it. */
import type { Usage } from "@berth/domain/Usage"
import type { Accepted } from "./Request.ts"
import type { Reply } from "./Script.ts"
import { piecesOf } from "./Tokens.ts"

export interface Answer {
  /** Server-sent events, each with the completion tokens sent so far. */
  readonly events: ReadonlyArray<{ readonly text: string; readonly completion: number }>
  readonly json: unknown
  readonly usage: Usage
}

interface Piece {
  readonly delta: Readonly<Record<string, unknown>>
  readonly reasoning: boolean
}

const piecesIn = ({ thought, text, call }: Reply, callId: string): ReadonlyArray<Piece> => [
  ...piecesOf(thought).map((one) => ({ delta: { reasoning_content: one }, reasoning: true })),
  ...piecesOf(text).map((one) => ({ delta: { content: one }, reasoning: false })),
  ...(call === undefined
    ? []
    : [
        {
          delta: {
            tool_calls: [{ index: 0, id: callId, type: "function", function: { name: call.name, arguments: "" } }],
          },
          reasoning: false,
        },
        ...(call.arguments.match(/[^]{1,16}/g) ?? []).map((one) => ({
          delta: { tool_calls: [{ index: 0, function: { arguments: one } }] },
          reasoning: false,
        })),
      ]),
]

const reported = (usage: Usage) => ({
  prompt_tokens: usage.prompt,
  completion_tokens: usage.completion,
  total_tokens: usage.prompt + usage.completion,
  cached_tokens: usage.cached,
  prompt_tokens_details: { cached_tokens: usage.cached },
  completion_tokens_details: { reasoning_tokens: usage.reasoning },
})

/** `created` in epoch seconds. */
export const answer = (
  { body, model, maximum }: Accepted,
  reply: Reply,
  counted: { readonly prompt: number; readonly cached: number },
  id: string,
  created: number,
): Answer => {
  const all = piecesIn(reply, `call_${id.slice(-8)}`)
  const pieces = all.slice(0, maximum)
  const cut = pieces.length < all.length
  const usage: Usage = {
    ...counted,
    completion: Math.max(1, pieces.length),
    reasoning: pieces.filter((one) => one.reasoning).length,
  }
  const reason = cut ? "length" : reply.call === undefined ? "stop" : "tool_calls"
  const event = (choices: unknown, more: object = {}) =>
    `data: ${JSON.stringify({ id, object: "chat.completion.chunk", created, model, choices, ...more })}\n\n`
  const choice = (delta: unknown, finish: string | null, more: object = {}) => [
    { index: 0, delta, finish_reason: finish, ...more },
  ]
  const joined = (key: string) =>
    pieces
      .map((one) => one.delta[key])
      .filter((one) => typeof one === "string")
      .join("")
  const thought = joined("reasoning_content")
  return {
    usage,
    events: [
      { text: event(choice({ role: "assistant", content: "" }, null)), completion: 0 },
      ...pieces.map((one, index) => ({ text: event(choice(one.delta, null)), completion: index + 1 })),
      { text: event(choice({}, reason, { usage: reported(usage) })), completion: usage.completion },
      ...(body.stream_options?.include_usage === true
        ? [{ text: event([], { usage: reported(usage) }), completion: usage.completion }]
        : []),
      { text: "data: [DONE]\n\n", completion: usage.completion },
    ],
    json: {
      id,
      object: "chat.completion",
      created,
      model,
      choices: [
        {
          index: 0,
          message: {
            role: "assistant",
            content: joined("content"),
            ...(thought === "" ? {} : { reasoning_content: thought }),
            ...(reply.call === undefined || cut
              ? {}
              : { tool_calls: [{ id: `call_${id.slice(-8)}`, type: "function", function: reply.call }] }),
          },
          finish_reason: reason,
        },
      ],
      usage: reported(usage),
    },
  }
}
