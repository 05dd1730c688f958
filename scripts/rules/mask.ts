/**
 * Blanks out what is not code, so that a rule about code never trips over a comment or a string.
 * Every view keeps the length and the line breaks of its source: an offset means the same place in all three.
 */
export interface Views {
  /** Code alone: comments and the insides of strings are blank. */
  readonly code: string
  /** Code and strings: comments are blank. Module specifiers and paths are read from here. */
  readonly strings: string
  /** Comments alone. */
  readonly comments: string
}

/** A slash after one of these begins a regular expression; after anything else it divides. */
const beforeRegExp = /(?:^|[(,=:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|yield|await|void|delete))\s*$/

export const views = (source: string): Views => {
  const code = source.split("")
  const strings = source.split("")
  const comments = source.replace(/[^\n]/g, " ").split("")
  const blank = (into: Array<string>, from: number, to: number) => {
    for (let i = from; i < to; i++) if (into[i] !== "\n") into[i] = " "
  }
  const comment = (from: number, to: number) => {
    blank(code, from, to)
    blank(strings, from, to)
    for (let i = from; i < to; i++) comments[i] = source[i] ?? " "
  }
  /** Depths of the braces at which an interpolation of a template ends. */
  const templates: Array<number> = []
  let depth = 0
  let at = 0

  const quoted = (quote: string): number => {
    let end = at + 1
    while (end < source.length && source[end] !== quote && source[end] !== "\n") end += source[end] === "\\" ? 2 : 1
    return end
  }
  /** Reads template text from `from` to its closing backtick or to its next interpolation. */
  const template = (from: number): void => {
    let end = from
    while (end < source.length && source[end] !== "`" && !source.startsWith("${", end)) {
      end += source[end] === "\\" ? 2 : 1
    }
    blank(code, from, end)
    if (source.startsWith("${", end)) {
      templates.push(depth)
      at = end + 2
    } else {
      at = end + 1
    }
  }
  const regExp = (): number => {
    let end = at + 1
    let inClass = false
    while (end < source.length && source[end] !== "\n" && (inClass || source[end] !== "/")) {
      if (source[end] === "[") inClass = true
      if (source[end] === "]") inClass = false
      end += source[end] === "\\" ? 2 : 1
    }
    return end
  }

  while (at < source.length) {
    const char = source[at]
    if (source.startsWith("//", at) || (at === 0 && source.startsWith("#!"))) {
      const end = source.indexOf("\n", at)
      const to = end === -1 ? source.length : end
      comment(at, to)
      at = to
    } else if (source.startsWith("/*", at)) {
      const end = source.indexOf("*/", at + 2)
      const to = end === -1 ? source.length : end + 2
      comment(at, to)
      at = to
    } else if (char === '"' || char === "'") {
      const end = quoted(char)
      blank(code, at + 1, end)
      at = end + 1
    } else if (char === "`") {
      template(at + 1)
    } else if (char === "}" && templates.at(-1) === depth) {
      templates.pop()
      template(at + 1)
    } else if (char === "/" && beforeRegExp.test(code.slice(Math.max(0, at - 40), at).join(""))) {
      const end = regExp()
      blank(code, at + 1, end)
      blank(strings, at + 1, end)
      at = end + 1
    } else {
      if (char === "{") depth++
      if (char === "}") depth--
      at++
    }
  }
  return { code: code.join(""), strings: strings.join(""), comments: comments.join("") }
}

/** The 1-based line of an offset. */
export const lineAt = (source: string, offset: number): number => source.slice(0, offset).split("\n").length
