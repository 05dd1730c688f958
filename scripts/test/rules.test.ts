import { execFileSync, spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, describe, it } from "vitest"
import { views } from "../rules/mask.ts"
import { check } from "../rules/rules.ts"

/** What the rules say of one file, as `line rule`. */
const said = (path: string, text: string) => check(path, text).map(({ line, rule }) => `${line} ${rule}`)

const pure = "packages/domain/src/Allowance.ts"

describe("arrows", () => {
  it.each([
    ["packages/proxy/src/Admit.ts", "@berth/control/Orders"],
    ["packages/proxy/src/Admit.ts", "@berth/operator/Plan"],
    ["packages/operator/src/Plan.ts", "@berth/proxy/Admit"],
    ["packages/domain/src/Usage.ts", "@berth/proxy/Admit"],
    ["packages/control/src/Orders.ts", "@berth/proxy/Admit"],
    ["packages/control/src/bin/api.ts", "@berth/operator/Plan"],
    ["packages/proxy/test/Admit.test.ts", "@berth/control/Orders"],
  ])("%s must not import %s", (path, target) => {
    assert.deepStrictEqual(said(path, `import * as X from "${target}"\n`), ["1 arrow"])
  })

  it.each([
    ["packages/proxy/src/Admit.ts", "@berth/domain/Allowance"],
    ["packages/control/src/bin/berth.ts", "@berth/proxy/Admit"],
    ["packages/control/src/embedded/Everything.ts", "@berth/operator/Plan"],
    ["packages/control/test/e2e/story.e2e.test.ts", "@berth/operator/Plan"],
  ])("%s may import %s", (path, target) => {
    assert.deepStrictEqual(said(path, `import * as X from "${target}"\n`), [])
  })

  it("refuses a relative path into another package, and a package's own name inside it", () => {
    assert.deepStrictEqual(said("packages/proxy/src/A.ts", `import "../../domain/src/B.ts"\n`), ["1 arrow"])
    assert.deepStrictEqual(said("packages/proxy/src/A.ts", `import "@berth/proxy/B"\n`), ["1 arrow"])
  })
})

describe("drivers", () => {
  it.each(["ioredis", "@effect/sql-pg/PgClient", "stripe", "grammy", "@kubernetes/client-node", "nodemailer"])(
    "%s stands only behind a port",
    (name) => {
      const text = `import * as X from "${name}"\n`
      assert.deepStrictEqual(said("packages/control/src/bin/api.ts", text), ["1 driver"])
      assert.deepStrictEqual(said("packages/control/src/live/Port.ts", text), [])
      assert.deepStrictEqual(said("packages/control/test/Port.integration.test.ts", text), [])
    },
  )

  it("sees a dynamic import and a re-export", () => {
    assert.deepStrictEqual(said(pure, `const x = import("ioredis")\nexport * from 'stripe'\n`), [
      "1 driver",
      "2 driver",
    ])
  })
})

describe("purity", () => {
  it.each([
    "const a = process.env.PORT",
    "const a = new Date()",
    "const a = Date.now()",
    "const a = Math.random()",
    "const a = crypto.randomUUID()",
    "const a = b as any",
    "const a = async () => 1",
    "async function a() {}",
    "const a = { async b() {} }",
    "const a = () => await b",
    "try { a() } catch {}",
    "const a = `${Date.now()}`",
  ])("refuses %s in pure code and allows it in live/, bin/ and tests", (line) => {
    assert.deepStrictEqual([...new Set(said(pure, `${line}\n`))], ["1 pure"])
    assert.deepStrictEqual(said("packages/domain/src/live/Redis.ts", `${line}\n`), [])
    assert.deepStrictEqual(said("packages/control/src/bin/api.ts", `${line}\n`), [])
    assert.deepStrictEqual(said("packages/domain/test/Allowance.test.ts", `${line}\n`), [])
  })

  it("reads code, not comments, strings, regular expressions or properties", () => {
    const text = [
      "/** never await, never Date.now() */",
      'const a = "try { await Date.now() }"',
      "const b = /new Date\\(/",
      "const c = `as any ${1} await`",
      "const d = Effect.async, e = x.await // process.env",
      "const f = { try: () => 1 }",
    ].join("\n")
    assert.deepStrictEqual(said(pure, text), [])
  })
})

describe("imports, names, paths, length", () => {
  it("wants .ts on a relative import", () => {
    assert.deepStrictEqual(said(pure, `import { a } from "./Ids"\nimport { b } from "./Ids.js"\n`), [
      "1 extension",
      "2 extension",
    ])
    assert.deepStrictEqual(said(pure, `import { a } from "./Ids.ts"\n`), [])
  })

  it("refuses barrels, drawers and layer names that say nothing", () => {
    assert.deepStrictEqual(said("packages/domain/src/index.ts", ""), ["1 name"])
    assert.deepStrictEqual(said("packages/domain/src/utils.ts", ""), ["1 name"])
    assert.deepStrictEqual(said(pure, "export const AllowanceLive = 1\n"), ["1 name"])
  })

  it("refuses the barrel of effect in src, not in tests", () => {
    assert.deepStrictEqual(said(pure, `import { Effect } from "effect"\n`), ["1 barrel"])
    assert.deepStrictEqual(said("packages/domain/test/A.test.ts", `import { Effect } from "effect"\n`), [])
  })

  it("refuses paths of one machine, but a pod may mount its own", () => {
    const at = (folder: string) => `const a = "${`/${folder}`}"\n`
    assert.deepStrictEqual(said("packages/domain/src/live/A.ts", at("tmp/x")), ["1 path"])
    assert.deepStrictEqual(said("packages/domain/test/A.test.ts", at("root/x")), ["1 path"])
    assert.deepStrictEqual(said("scripts/a.ts", at("work")), ["1 path"])
    assert.deepStrictEqual(said("packages/domain/src/live/A.ts", at("tmp")), ["1 path"])
    assert.deepStrictEqual(said("packages/operator/src/Pod.ts", at("tmp")), [])
    assert.deepStrictEqual(said(pure, "const a = `${dir}/tmp/x`, b = root / work / c\n"), [])
  })

  it("wants a reason for a file of more than 500 lines", () => {
    const body = "const a = 1\n".repeat(501)
    assert.deepStrictEqual(said(pure, body), ["1 length"])
    assert.deepStrictEqual(said(pure, `/** Long because it is one table. */\n${body}`), [])
  })

  it("takes an excuse only with its reason", () => {
    assert.deepStrictEqual(said(pure, "// allow(pure): the one clock\nconst a = Date.now()\n"), [])
    assert.deepStrictEqual(said(pure, "// allow(pure):\nconst a = Date.now()\n"), ["2 pure"])
    assert.deepStrictEqual(said(pure, "// allow(driver): other rule\nconst a = Date.now()\n"), ["2 pure"])
  })
})

describe("the command", () => {
  const tree = (files: Record<string, string>) => {
    const root = mkdtempSync(join(tmpdir(), "berth-rules-"))
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    return root
  }
  const script = join(import.meta.dirname, "..", "rules.ts")

  it("prints file:line and exits 1, skipping node_modules", () => {
    const root = tree({
      "packages/proxy/src/Admit.ts": `import * as R from "ioredis"\n`,
      "packages/proxy/node_modules/x/src/index.ts": `import * as R from "ioredis"\n`,
    })
    const { status, stdout } = spawnSync(process.execPath, [script, root], { encoding: "utf8" })
    rmSync(root, { recursive: true })
    assert.strictEqual(status, 1)
    assert.strictEqual(
      stdout,
      "packages/proxy/src/Admit.ts:1 driver: driver ioredis outside src/live/: put it behind a port\n",
    )
  })

  it("exits 0 on a tree that keeps the rules, and speaks JSON", () => {
    const root = tree({ "packages/proxy/src/Admit.ts": "export const a = 1\n" })
    const out = execFileSync(process.execPath, [script, "--json", root], { encoding: "utf8" })
    rmSync(root, { recursive: true })
    assert.deepStrictEqual(JSON.parse(out), { files: 1, findings: [] })
  })
})

it("the views of a file keep its length and its lines", () => {
  const text = 'const a = `x${{ b: "}" }}y` // c\n/* d\n e */ const f = g / h / 2\n'
  const { code, comments, strings } = views(text)
  assert.strictEqual(code, 'const a = ` ${{ b: " " }} `     \n    \n      const f = g / h / 2\n')
  assert.strictEqual(strings.includes('}" }}y`'), true)
  assert.strictEqual(comments.trim().startsWith("// c"), true)
  assert.deepStrictEqual([strings.length, comments.length], [text.length, text.length])
})
