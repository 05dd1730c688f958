/** Requests to measure the bound on: one text of a kind each, or the growing talk of an agent with its tools. */
import { openClawBody } from "../OpenClawBody.ts"
import { type KindName, textOf } from "./Kinds.ts"
import { type Random, randomOf, seedOf } from "./Random.ts"
import type { Part } from "./Sources.ts"

export type RequestKind = KindName | "agent"

/** One text in one message; short texts are as likely as long ones, from 200 to `most` characters. */
const plainRequest = (kind: KindName, random: Random, part: Part, most: number) => ({
  model: "kimi-k2.6",
  messages: [
    { role: "system", content: "You are a helpful assistant." },
    { role: "user", content: textOf(kind, random, part, Math.round(200 * (most / 200) ** random.next())) },
  ],
  max_completion_tokens: 1_000,
})

const asks = ["Please look into this and tell me what you find: ", "Hi! ", "Can you fix it? ", ""]
const read: ReadonlyArray<KindName> = ["code", "code", "JSON", "Markdown", "log lines", "HTML and CSS", "Chinese prose"]
const said: ReadonlyArray<KindName> = ["English", "English", "Markdown", "Chinese prose"]

/** What one more turn adds: a question, some calls of tools with what they gave, an answer. */
const turn = (random: Random, part: Part, at: number): Array<object> => {
  const calls = Array.from({ length: random.below(3) }, (_, index) => {
    const id = `functions.read:${at + index}`
    const path = `src/${random.below(99)}.ts`
    const call = { id, type: "function", function: { name: "read", arguments: JSON.stringify({ read_path: path }) } }
    const content = textOf(random.pick(read), random, part, 200 + random.below(4_000))
    return [
      { role: "assistant", content: "", tool_calls: [call] },
      { role: "tool", tool_call_id: id, content },
    ]
  })
  return [
    { role: "user", content: random.pick(asks) + textOf(random.pick(said), random, part, 60 + random.below(900)) },
    ...calls.flat(),
    { role: "assistant", content: textOf(random.pick(said), random, part, 100 + random.below(1_200)) },
  ]
}

/** As OpenClaw sends them: the same long system prompt and tools each time, and a talk that grows for eight requests. */
const agentRequests = (random: Random, part: Part, count: number) => {
  const [system] = openClawBody().messages
  let talk: Array<object> = []
  return Array.from({ length: count }, (_, index) => {
    if (index % 8 === 0) talk = []
    talk = [...talk, ...turn(random, part, talk.length)]
    return openClawBody({
      messages: [system, ...talk, { role: "user", content: textOf("English", random, part, 200) }],
    })
  })
}

/** So many requests of a kind; the same ones at every call. */
export const requestsOf = (kind: RequestKind, part: Part, count: number, most = 20_000): ReadonlyArray<object> => {
  const random = randomOf(seedOf(`${kind} ${part}`))
  return kind === "agent"
    ? agentRequests(random, part, count)
    : Array.from({ length: count }, () => plainRequest(kind, random, part, most))
}
