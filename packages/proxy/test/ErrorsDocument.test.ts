/** docs/errors.md has a row for each refusal, with the status, type and code that it really has, and no other row. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { answerOf } from "../src/Errors.ts"
import { refusals } from "./RefusalSamples.ts"

const source = join(import.meta.dirname, "../src")
const document = readFileSync(join(import.meta.dirname, "../../../docs/errors.md"), "utf8")

interface Row {
  /** Refusal, status, type and code. */
  readonly what: string
  readonly meaning: string
  readonly seen: string
  readonly check: string
}

const section = /## Refusals\n([^]*?)\n## /.exec(document)?.[1] ?? ""
const rows: ReadonlyArray<Row> = [...section.matchAll(/^\| `\w+`.*$/gm)].map(([line]) => {
  const [what = "", status, code = "", meaning = "", seen = "", check = ""] = line
    .slice(1, -1)
    .split("|")
    .map((cell) => cell.trim())
  return { what: [what, status, code].join(" ").replaceAll("`", ""), meaning, seen, check }
})

const named = (tag: string, status: number, type: string, code: string | null) =>
  `${tag} ${status} ${type}${code === null ? "" : ` · ${code}`}`

/** What is at fault as HTTP is said where it is found. */
const httpFaults = globSync("**/*.ts", { cwd: source })
  .flatMap((file) => [
    ...readFileSync(join(source, file), "utf8").matchAll(/new HttpFault\(\{\s*status: (\d+),\s*code: "(\w+)"/g),
  ])
  .map(([, status, code = ""]) => {
    const answer = answerOf({ _tag: "HttpFault", status: Number(status), code, message: "" } as never)
    return named("HttpFault", answer.status, answer.type, answer.code)
  })

const real = new Set([
  ...httpFaults,
  ...refusals.map((refusal) => {
    const { status, type, code } = answerOf(refusal)
    return named(refusal._tag, status, type, code)
  }),
])

describe("docs/errors.md", () => {
  it("has a row for each refusal, with its status, type and code, and no other", () => {
    assert.deepStrictEqual(rows.map(({ what }) => what).sort(), [...real].sort())
  })

  it("says of each what it means, what the agent's user sees, and what to check", () => {
    for (const { what, meaning, seen, check } of rows)
      for (const cell of [meaning, seen, check]) assert.isAbove(cell.length, 1, what)
  })

  it("names the version of OpenClaw that was measured, the one that the end-to-end test runs", () => {
    const install = readFileSync(join(import.meta.dirname, "../../../scripts/openclaw/Install.ts"), "utf8")
    const version = /version = "([\d.]+)"/.exec(install)?.[1] ?? "none"
    assert.include(document, `OpenClaw ${version}`)
  })
})
