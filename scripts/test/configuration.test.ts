/** docs/configuration.md names every variable that the programs read, and no other. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"

const root = join(import.meta.dirname, "../..")
const variable = /^(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|HOST|PORT|KUBECONFIG)$/
const readsTheEnvironment =
  /from "(?:effect\/Config|(?:@berth\/domain|\.\.?(?:\/\w+)*)\/(?:Embedded|Listen|Ops)(?:\.ts)?)"/

const inCode = () => {
  const files = globSync("packages/{domain,proxy,operator,control}/src/**/*.ts", { cwd: root })
  const texts = files
    .filter((file) => !/[\\/]src[\\/](?:web|testing)[\\/]/.test(file))
    .map((file) => readFileSync(join(root, file), "utf8"))
    .filter((text) => readsTheEnvironment.test(text))
  const quoted = texts.flatMap((text) => [...text.matchAll(/"([A-Z0-9_]+)"/g)].map(([, name]) => name ?? ""))
  return new Set(quoted.filter((name) => variable.test(name)))
}

const document = readFileSync(join(root, "docs/configuration.md"), "utf8")
const namedIn = (text: string) =>
  new Set([...text.matchAll(/`([A-Z0-9_]+)`/g)].map(([, name]) => name ?? "").filter((name) => variable.test(name)))

describe("docs/configuration.md", () => {
  it("has a row for every variable that is read", () => {
    const rows = new Set([...document.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, name]) => name ?? ""))
    assert.isAbove(rows.size, 40)
    assert.deepStrictEqual([...inCode()].filter((name) => !rows.has(name)).sort(), [])
  })

  it("names no variable that is not read, and neither does the README", () => {
    const read = inCode()
    const readme = readFileSync(join(root, "README.md"), "utf8")
    assert.deepStrictEqual([...namedIn(document), ...namedIn(readme)].filter((name) => !read.has(name)).sort(), [])
  })
})
