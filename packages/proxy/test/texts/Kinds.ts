/** Every kind of text that the bound is measured on, by its name, each with a part to learn from and one never seen. */
import { type Piece, pieces } from "./Made.ts"
import type { Random } from "./Random.ts"
import * as Sources from "./Sources.ts"
import type { Part, Source } from "./Sources.ts"

type Kind = (random: Random, part: Part, length: number) => string

/** A stretch out of one file, from the beginning of a line or, where lines are endless, from anywhere. */
const stretch =
  (source: Source, aligned = true): Kind =>
  (random, part, length) => {
    const text = random.pick(source(part))
    const at = random.below(Math.max(1, text.length - length))
    const from = aligned ? text.lastIndexOf("\n", at) + 1 : at
    return text.slice(from, from + length)
  }

const repeated = (piece: (random: Random, part: Part) => string): Kind => {
  return (random, part, length) => {
    let text = ""
    while (text.length < length) text += piece(random, part)
    return text.slice(0, length)
  }
}

const phrases = (source: Source, gaps: ReadonlyArray<string>): Kind =>
  repeated((random, part) => random.pick(source(part)) + random.pick(gaps))
const translated = (language: Parameters<typeof Sources.translated>[0]) =>
  phrases(Sources.translated(language), [" ", "\n"])
const known = (locale: string) => phrases(Sources.known(locale), [" ", ", ", " ", ". "])

const compact: Kind = (random, part, length) =>
  JSON.stringify(
    stretch(Sources.json)(random, part, length)
      .split("\n")
      .map((line) => line.trim().split(": ")),
  )

const made = Object.fromEntries(
  Object.entries<Piece>(pieces).map(([name, piece]) => [name, repeated(piece)]),
) as unknown as { readonly [Name in keyof typeof pieces]: Kind }

const { "Chinese prose": chineseProse, ...others } = made

export const kinds = {
  English: stretch(Sources.english),
  Chinese: translated("zh"),
  "Chinese prose": chineseProse,
  "Chinese names": known("zh"),
  "traditional Chinese": translated("zh-TW"),
  code: stretch(Sources.code),
  "minified code": stretch(Sources.minified, false),
  JSON: stretch(Sources.json),
  "compact JSON": compact,
  Markdown: stretch(Sources.markdown),
  "HTML and CSS": stretch(Sources.html),
  ...others,
  Japanese: translated("ja"),
  Korean: translated("ko"),
  Russian: translated("ru"),
  Ukrainian: translated("uk"),
  Bulgarian: translated("bg"),
  German: translated("de"),
  Dutch: translated("nl"),
  French: translated("fr"),
  Spanish: translated("es"),
  Portuguese: translated("pt"),
  Italian: translated("it"),
  Polish: translated("pl"),
  Czech: translated("cs"),
  Hungarian: translated("hu"),
  Turkish: translated("tr"),
  Vietnamese: translated("vi"),
  Indonesian: translated("id"),
  Arabic: translated("ar"),
  Persian: translated("fa"),
  Hebrew: translated("he"),
  Armenian: translated("hy"),
  Thai: translated("th"),
  Tamil: translated("ta"),
  Bengali: translated("bn-BD"),
  Burmese: translated("my"),
  Greek: known("el"),
  Hindi: known("hi"),
  Georgian: known("ka"),
  Amharic: known("am"),
} satisfies Record<string, Kind>

export type KindName = keyof typeof kinds
export const kindNames = Object.keys(kinds) as ReadonlyArray<KindName>

/** A text of a kind, of so many characters (about so many for compact JSON). */
export const textOf = (kind: KindName, random: Random, part: Part, length: number): string =>
  // A cut may part a surrogate pair.
  (kinds[kind] as Kind)(random, part, length).toWellFormed()
