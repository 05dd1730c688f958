/**
 * What a text is made of, by one pass over its bytes and no tokenizer. PURE. Every byte falls into a class by itself and
 * the byte before it, since BPE tokens end where neighbours seldom stand together: a lower-case letter that usually
 * follows its neighbour goes on with a token, one that never does begins another. So prose, base64, hex and random letters
 * come apart though they share their letters.
 */

/** The classes, in the order in which a profile counts them. */
export const classNames = [
  // A letter after a letter that it often, sometimes or hardly ever follows in words and in code.
  "usual",
  "seldom",
  "strange",
  /** The first letter of a word. */
  "word",
  /** A capital after a small letter, and after a capital. */
  "hump",
  "capital",
  /** A letter next to a digit. */
  "mixed",
  // The first digit of a number, and the others.
  "number",
  "digit",
  /** A space after a space. */
  "blank",
  // A mark after something else, a mark that usually follows its neighbour, and one that does not.
  "mark",
  "marks",
  "odd",
  /** A line break or a tab, escaped or not. */
  "break",
  // The others count characters, not bytes.
  "latin",
  "accented",
  "cyrillic",
  "greek",
  "hebrew",
  "arabic",
  "devanagari",
  "indic",
  "thai",
  "georgian",
  /** Scripts that vocabularies hardly know. */
  "distant",
  // Ideographs from a block with much used ones, kana among them, and from another.
  "ideograph",
  "rareIdeograph",
  "hangul",
  "symbol",
  "emoji",
] as const

export type ClassName = (typeof classNames)[number]

/** How many of each class, in the order of `classNames`. */
export type Profile = Float64Array

export const classes = classNames.length

const indexOf = Object.fromEntries(classNames.map((name, index) => [name, index])) as Record<ClassName, number>
/** For what costs nothing by itself: a space before a word, the later bytes of a character. */
const none = 31

/** For each letter those that often follow it, then those that sometimes do: 95 and 99.5 in a hundred pairs of English and code. */
const usualAfter =
  "abcdgilmnprstuvy baeloruy caehiklortu dadeilosuy eabcdefglmnpqrstvwxy faefioru gehinru haeiort " +
  "iacdefglmnoprstv jes ke ladeilostuy mabeiops nacdefgilnostuy oabcdfglmnoprstuvw paeiloprstu qu " +
  "racdegilmnorstuvy sacehiopstu tacehiloprstuy ubcegilmnprst vaei waehios xpt yop z"
const seldomAfter =
  "aafkqwx bijms ccsy dcfghmprt ehijou flsty gaglmosty hbmsuy ibkxz jaouw kacins lbcfhprvw mdgjlmtuy nhkmprv " +
  "oeijkxy pdghmy q rbfkpw sfklmnrvwxy tbdfgmnwx uadf vgo wnrtw xaceiry yadeilmnrstw zae"
const pairsIn = (lists: string): ReadonlySet<string> =>
  new Set(lists.split(" ").flatMap(([first = "", ...letters]) => letters.map((letter) => first + letter)))
const usual = pairsIn(usualAfter)
const seldom = pairsIn(seldomAfter)

/** Marks that stand together in code and JSON. */
const usualMarks: ReadonlySet<string> = new Set(
  (
    '!= "! "" ") ", ". ": "; "= "> "@ "[ "] "^ "{ "} ## ${ && &( \') \', \'. \'; (! (\' (( () (- ([ (` ({ )& )( ' +
    ')) ), ). ): ); )= )? )` ){ )| )} ** *. */ ++ += ," ,[ ,` ,{ -- .. ./ ._ /* /. // :" :# :( :/ :[ :` :{ ;- </ =! =( ' +
    '== => =[ =` ={ >< >= >{ ?: [" [[ [] [` [{ ]( ]) ], ]. ]: ][ ]] ]} __ `) `, `. `: `] `` {" {} || }) }, }. }; }] }}'
  ).split(" "),
)

/** A bit for each 64 ideographs from U+4E00, least first: whether any of the thousand most used ones is among them. */
const usedBlocks = 0x8000a4f2ed010aff0fcc5ce000020893c5a79931e31c21401cfb0037bf8d721ff83e0743823ffe3ffn

const isSmall = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a
const isCapital = (byte: number): boolean => byte >= 0x41 && byte <= 0x5a
const isLetter = (byte: number): boolean => isSmall(byte) || isCapital(byte)
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39
const space = 0x20
const backslash = 0x5c

/** The script that a first byte, or a first and a second, tells. */
const wideClass = (before: number, byte: number): ClassName | undefined => {
  if (byte < 0xc0) {
    if (before === 0xe0) return byte < 0xa6 ? "devanagari" : byte < 0xb8 ? "indic" : "thai"
    if (before === 0xe1) return byte === 0x83 ? "georgian" : byte >= 0xb8 ? "accented" : "distant"
    // Past the Russian letters come those of its neighbours.
    if (before === 0xd1) return byte < 0x90 ? "cyrillic" : "accented"
    if (before < 0xe4 || before > 0xe9) return undefined
    const block = ((before & 0xf) << 6) | (byte & 0x3f)
    return block < 0x138 || ((usedBlocks >> BigInt(block - 0x138)) & 1n) === 0n ? "rareIdeograph" : "ideograph"
  }
  if (byte < 0xc4) return "latin"
  if (byte < 0xcd) return "accented"
  if (byte < 0xd0) return "greek"
  if (byte === 0xd1) return undefined
  if (byte < 0xd4) return "cyrillic"
  if (byte < 0xd7) return "distant"
  if (byte === 0xd7) return "hebrew"
  if (byte < 0xe0) return "arabic"
  if (byte === 0xe2 || byte === 0xee || byte === 0xef) return "symbol"
  if (byte === 0xe3) return "ideograph"
  if (byte >= 0xf0) return "emoji"
  // The second byte tells.
  return byte < 0xea ? undefined : "hangul"
}

const letterClass = (before: number, byte: number): ClassName => {
  if (before === backslash) return byte === 0x75 ? "mixed" : "break"
  if (isDigit(before)) return "mixed"
  if (!isLetter(before)) return "word"
  if (isCapital(byte)) return isCapital(before) ? "capital" : "hump"
  const pair = String.fromCharCode(before | 0x20, byte)
  return usual.has(pair) ? "usual" : seldom.has(pair) ? "seldom" : "strange"
}

const classOf = (before: number, byte: number): ClassName | undefined => {
  if (byte >= 0x80) return wideClass(before, byte)
  if (isLetter(byte)) return letterClass(before, byte)
  if (isDigit(byte)) return isDigit(before) ? "digit" : isLetter(before) ? "mixed" : "number"
  if (byte === space) return before === space ? "blank" : undefined
  if (byte < space || byte === 0x7f) return "break"
  // A backslash tells what comes next; after another it is a sign of its own.
  if (byte === backslash) return before === backslash ? "mark" : undefined
  const afterMark = before > space && before < 0x7f && before !== backslash && !isLetter(before) && !isDigit(before)
  if (!afterMark) return "mark"
  return usualMarks.has(String.fromCharCode(before, byte)) ? "marks" : "odd"
}

/** The class of each byte after each other byte. */
const table = new Uint8Array(1 << 16)
for (let before = 0; before < 256; before++) {
  for (let byte = 0; byte < 256; byte++) {
    const name = classOf(before, byte)
    table[(before << 8) | byte] = name === undefined ? none : indexOf[name]
  }
}

/** How often each two classes came one after the other, within one call: one addition for two bytes is what makes it fast. */
const counts = new Uint32Array(1 << 10)

/** Adds the bytes from `from` to `to` to a profile; about a nanosecond a byte. */
export const addProfile = (profile: Profile, bytes: Uint8Array, from: number, to: number): void => {
  counts.fill(0)
  let before = 0
  let at = from
  for (const last = to - 3; at < last; at += 4) {
    const one = bytes[at] as number
    const two = bytes[at + 1] as number
    const three = bytes[at + 2] as number
    const four = bytes[at + 3] as number
    const first = ((table[(before << 8) | one] as number) << 5) | (table[(one << 8) | two] as number)
    counts[first] = (counts[first] as number) + 1
    const second = ((table[(two << 8) | three] as number) << 5) | (table[(three << 8) | four] as number)
    counts[second] = (counts[second] as number) + 1
    before = four
  }
  for (; at < to; at++) {
    const byte = bytes[at] as number
    const last = ((table[(before << 8) | byte] as number) << 5) | none
    counts[last] = (counts[last] as number) + 1
    before = byte
  }
  for (let pair = 0; pair < counts.length; pair++) {
    const count = counts[pair] as number
    if (count === 0) continue
    const [first, second] = [pair >> 5, pair & 31]
    if (first < classes) profile[first] = (profile[first] as number) + count
    if (second < classes) profile[second] = (profile[second] as number) + count
  }
}

/** The profile of a text's UTF-8 as it stands in JSON, escapes and all. */
export const profileOf = (bytes: Uint8Array): Profile => {
  const profile = new Float64Array(classes)
  addProfile(profile, bytes, 0, bytes.length)
  return profile
}
