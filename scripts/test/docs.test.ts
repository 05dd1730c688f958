/** The documents point at what exists. */
import { existsSync, readFileSync } from "node:fs"
import { globSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { assert, describe, it } from "vitest"

const root = resolve(import.meta.dirname, "../..")
const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...globSync("docs/**/*.md", { cwd: root })]

/** Targets of links inside the repository, without their anchors. */
const targetsOf = (text: string): ReadonlyArray<string> =>
  [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !/^(?:[a-z]+:|#)/.test(target))

describe("documents", () => {
  it.each(documents)("%s links to files that exist", (document) => {
    const missing = targetsOf(readFileSync(join(root, document), "utf8")).filter(
      (target) => !existsSync(join(root, dirname(document), target.replace(/#.*$/, ""))),
    )
    assert.deepStrictEqual(missing, [])
  })

  it("README begins with the two commands", () => {
    const readme = readFileSync(join(root, "README.md"), "utf8")
    for (const command of ["npm ci && npm start", "npm ci && npm test"])
      assert.isBelow(readme.indexOf(command), readme.indexOf("## "), command)
  })

  it("CONTRIBUTING and README name only scripts that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>
    }
    const named = documents.flatMap((document) =>
      [...readFileSync(join(root, document), "utf8").matchAll(/npm run ([a-z0-9:-]+)/g)].map((match) => match[1] ?? ""),
    )
    assert.deepStrictEqual(
      named.filter((name) => !(name in scripts)),
      [],
    )
  })
})
