/**
 * What the embedded Kimi says. PURE. Where a tool that records facts is offered and the user told some, it calls that; where
 * one that asks a question is, it asks it; else it answers in a few words. Berth marks a user's words by `<message>` tags.
 */
import { models } from "@berth/domain/Tiers"
import { factsIn } from "./Facts.ts"
import { type Accepted, textOf, type Tool } from "./Request.ts"

export interface Reply {
  readonly thought: string
  readonly text: string
  readonly call: { readonly name: string; readonly arguments: string } | undefined
}

const recordsFacts = (tool: Tool): boolean => /facts?\b|facts?$|^record/i.test(tool.function.name)

/** A user's own words: the last line or two of what may be a long, wrapped message. */
const lastWords = (text: string): string => {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^[[{}\]`"]/.test(line))
  return (lines.at(-1) ?? text.trim()).slice(-200)
}

const snippet = [
  "```python",
  "def count_words(text: str) -> dict[str, int]:",
  "    counts: dict[str, int] = {}",
  "    for word in text.lower().split():",
  "        counts[word] = counts.get(word, 0) + 1",
  "    return counts",
  "```",
].join("\n")

const answerTo = (asked: string): string =>
  /\b(?:python|code|script|function|program)\b/i.test(asked)
    ? `You asked: ${asked}\nHere is a small start that you can run as it is:\n${snippet}\nTell me what it should do next.`
    : /\b(?:pr|prs|pull request|review|diff)\b/i.test(asked)
      ? `You asked: ${asked}\nSend me the diff and I will look at its names, its error paths and its tests, in that order.`
      : `You asked: ${asked}\nThis is the embedded model: it answers by rule, so that everything around it can be tried without a key.`

/** What stands between two tags, or the whole. */
const within = (tag: string, text: string): string =>
  new RegExp(`<${tag}>\\s*([^]*?)\\s*</${tag}>`).exec(text)?.[1] ?? text

const callFor = (tools: ReadonlyArray<Tool>, said: string): Reply["call"] => {
  const question = /^Question: ([^]*?)\s*(?=<last-message>|$)/.exec(said)?.[1]
  const asks = tools.find((tool) => /ask/i.test(tool.function.name))
  if (asks !== undefined && question !== undefined) {
    return { name: asks.function.name, arguments: JSON.stringify({ question }) }
  }
  const records = tools.find(recordsFacts)
  if (records === undefined) return undefined
  const asked = /^Asked for: (.*)/.exec(said)?.[1]?.split(", ")
  const facts = factsIn(within("message", said), records.function.parameters, asked)
  return Object.keys(facts).length === 0 ? undefined : { name: records.function.name, arguments: JSON.stringify(facts) }
}

export const replyTo = ({ body, model }: Accepted): Reply => {
  const thought = models[model].thinks ? "The user wants a short, useful answer." : ""
  const last = body.messages.at(-1)
  const user = body.messages.findLast((one) => one.role === "user")
  const said = user === undefined ? "" : textOf(user)
  const tools = body.tools ?? []
  const call = last?.role === "user" && body.tool_choice !== "none" ? callFor(tools, said) : undefined
  if (call !== undefined) return { thought, text: "", call }
  const asked = lastWords(within("message", said))
  return {
    thought,
    text: tools.some(recordsFacts) ? `Thanks, I have noted that. You said: ${asked}` : answerTo(asked),
    call: undefined,
  }
}
