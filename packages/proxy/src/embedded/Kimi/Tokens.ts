/**
 * How the embedded Kimi counts: four bytes of the prompt's JSON are a token, and each piece of an answer is one. It knows
 * prefixes that it has seen, as the real one's cache does. No clock: nothing is ever forgotten but by number.
 */
import { createHash } from "node:crypto"
import type { Body } from "./Request.ts"

export const countText = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4)

/** The pieces in which a text is sent; each counts as one token. */
export const piecesOf = (text: string): ReadonlyArray<string> => text.match(/\s*\S{1,12}|\s+$/g) ?? []

const remembered = 4_096

export interface PrefixCache {
  /** Prompt tokens in all, and those of the longest prefix of messages seen before. Remembers this one. */
  readonly count: (body: Body) => { readonly prompt: number; readonly cached: number }
}

export const makePrefixCache = (): PrefixCache => {
  const seen = new Set<string>()
  return {
    count: ({ tools, messages }) => {
      const hash = createHash("sha256")
      let prompt = 0
      let cached = 0
      const add = (part: unknown) => {
        const text = JSON.stringify(part)
        prompt += countText(text) + 3
        const prefix = hash.update(text).copy().digest("base64")
        if (seen.delete(prefix)) cached = prompt
        seen.add(prefix)
      }
      if (tools !== undefined && tools !== null && tools.length > 0) add(tools)
      for (const message of messages) add(message)
      for (const oldest of seen) {
        if (seen.size <= remembered) break
        seen.delete(oldest)
      }
      return { prompt, cached }
    },
  }
}
