/** What the embedded Kimi says: a call of a fact-recording tool where one is offered and the user told facts, else a short answer. PURE. */
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

export const replyTo = ({ body, model }: Accepted): Reply => {
  const thought = models[model].thinks ? "The user wants a short, useful answer." : ""
  const last = body.messages.at(-1)
  const user = body.messages.findLast((one) => one.role === "user")
  const asked = user === undefined ? "" : lastWords(textOf(user))
  const tool = body.tools?.find(recordsFacts)
  if (tool !== undefined && last?.role === "user" && body.tool_choice !== "none") {
    const facts = factsIn(textOf(last), tool.function.parameters)
    if (Object.keys(facts).length > 0) {
      return { thought, text: "", call: { name: tool.function.name, arguments: JSON.stringify(facts) } }
    }
  }
  if (tool !== undefined) return { thought, text: `Thanks, I have noted that. You said: ${asked}`, call: undefined }
  return { thought, text: answerTo(asked), call: undefined }
}
