/** A command that somebody comes to need is also somebody's right: the tests on a real Redis see only what they run. */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { redisRights } from "../src/RedisRights.ts"

const folder = join(import.meta.dirname, "../src/live")
const texts = globSync("**/*.ts", { cwd: folder }).map((file) => readFileSync(join(folder, file), "utf8"))

const found = (pattern: RegExp) =>
  new Set(texts.flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => (name ?? "").toLowerCase())))

describe("rights in Redis", () => {
  const given = new Set(Object.values(redisRights).flatMap(({ commands }) => commands))

  it("name every command that a script runs", () => {
    const called = found(/redis\.p?call\(\s*'([A-Z]+)'/g)
    assert.isAbove(called.size, 25)
    assert.deepStrictEqual([...called].filter((name) => !given.has(name)).sort(), [])
  })

  it("name every command that a port sends by itself", () => {
    const sent = found(/\bone\s*\.([a-z]+)\(/g)
    assert.isAbove(sent.size, 10)
    assert.deepStrictEqual([...sent].filter((name) => !given.has(name) && name !== "ping").sort(), [])
  })
})
