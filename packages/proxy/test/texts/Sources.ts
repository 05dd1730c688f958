/**
 * Where texts come from: prose, code and JSON of installed packages, a catalogue of translated phrases, and the names
 * that ICU knows in a language. Each source falls into two parts by the name of its file or phrase, one to learn from and
 * one never seen.
 */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { translations } from "@payloadcms/translations/all"
import { seedOf } from "./Random.ts"

export type Part = "learnt" | "unseen"

/** The texts of one part. */
export type Source = (part: Part) => ReadonlyArray<string>

/** Reads once, when it is first asked. */
const sourceOf = (read: () => ReadonlyArray<readonly [name: string, text: string]>): Source => {
  let parts: Record<Part, Array<string>> | undefined
  return (part) => {
    if (parts === undefined) {
      parts = { learnt: [], unseen: [] }
      for (const [name, text] of read()) parts[seedOf(name) % 2 === 0 ? "learnt" : "unseen"].push(text)
    }
    return parts[part]
  }
}

const modules = join(import.meta.dirname, "../../../../node_modules")
/** Of each file so many characters are read. */
const longest = 300_000

const filesOf = (patterns: ReadonlyArray<string>, keep: (text: string) => string = (text) => text): Source =>
  sourceOf(() =>
    globSync([...patterns], { cwd: modules })
      .sort()
      .map((path) => [path, keep(readFileSync(join(modules, path), "utf8").slice(0, longest))] as const)
      .filter(([, text]) => text.length > 400),
  )

/** Lines of whole sentences. */
const proseOf = (markdown: string): string =>
  markdown
    .split("\n")
    .filter((line) => /^[A-Z*-]/.test(line) && line.split(" ").length > 7 && !/[|<{]|https?:/.test(line))
    .join("\n")

export const english = filesOf(
  [
    "react-router/**/*.md",
    "effect/**/*.md",
    "{stripe,openai,undici,playwright-core,fast-check,grammy,jose,ioredis,redis,nodemailer}/**/*.md",
  ],
  proseOf,
)
export const markdown = filesOf(["*/README.md", "@*/*/README.md", "react-router/docs/**/*.md", "undici/docs/**/*.md"])
export const code = filesOf([
  "effect/src/*.ts",
  "undici/lib/**/*.js",
  "openai/src/**/*.ts",
  "stripe/esm/resources/*.js",
  "grammy/out/**/*.js",
  "{pg,ioredis,nodemailer}/**/*.js",
])
export const html = filesOf(["playwright-core/**/*.{css,html}", "tslib/*.html", "tailwindcss/*.css"])
export const json = filesOf([
  "*/package.json",
  "@*/*/package.json",
  "mime-db/db.json",
  "nodemailer/**/*.json",
  "{oxlint,oxfmt}/*.json",
  "@ioredis/commands/built/*.json",
])
export const minified = filesOf([
  "@floating-ui/**/*.min.js",
  "playwright-core/lib/vite/**/*.js",
  "{js-yaml,jsonpath-plus}/dist/**/*.min.*js",
  "tailwindcss/dist/*.js",
])

const phrasesIn = (catalogue: unknown, path: string): Array<[string, string]> =>
  typeof catalogue === "string"
    ? [[path, catalogue]]
    : Object.entries(catalogue as object).flatMap(([key, value]) => phrasesIn(value, `${path}.${key}`))

/** Phrases of a user interface, from a word to some sentences. */
export const translated = (language: keyof typeof translations): Source =>
  sourceOf(() => phrasesIn(translations[language]?.translations, ""))

const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
const pairs = letters.flatMap((one) => letters.map((two) => one + two))
const units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"] as const
const measures = ["kilometer", "kilogram", "liter", "celsius", "percent", "megabyte", "mile-per-hour"]

/** Names of countries, languages and currencies, dates and measures in a language. */
export const known = (locale: string): Source =>
  sourceOf(() => {
    const names = (type: "region" | "language" | "currency") => {
      const display = new Intl.DisplayNames(locale, { type, fallback: "none" })
      return (code: string) => display.of(code)
    }
    const [region, language, currency] = [names("region"), names("language"), names("currency")]
    const time = new Intl.RelativeTimeFormat(locale)
    const date = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeZone: "UTC" })
    const counts = Array.from({ length: 60 }, (_, index) => index + 1)
    const all = [
      ...pairs.flatMap((pair) => [region(pair), language(pair.toLowerCase())]),
      ...pairs.flatMap((pair) => ["D", "F", "P", "R"].map((last) => currency(pair + last))),
      ...counts.flatMap((count) => units.map((unit) => time.format(count % 2 === 0 ? count : -count, unit))),
      ...counts.map((count) => date.format(count * 9 * 86_400_000)),
      ...measures.flatMap((unit) =>
        [1, 2, 7, 25].map((count) =>
          new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(count),
        ),
      ),
    ]
    const own = new Set(all.filter((name) => name !== undefined && /[^\p{ASCII}]/u.test(name)))
    return [...own].map((name) => [String(name), String(name)] as const)
  })
