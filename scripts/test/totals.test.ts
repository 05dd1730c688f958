import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "vitest"

const script = join(import.meta.dirname, "..", "totals.ts")

it.each([
  ["all green", { numPassedTests: 12, numFailedTests: 0 }, 0, "12 passed, 0 failed", 0],
  ["tests failed", { numPassedTests: 9, numFailedTests: 3 }, 1, "9 passed, 3 failed", 1],
  ["tests and types failed", { numPassedTests: 9, numFailedTests: 3 }, 2, "9 passed, 4 failed", 1],
  ["only types failed", { numPassedTests: 12, numFailedTests: 0 }, 1, "12 passed, 1 failed", 1],
  ["no report", undefined, 1, "0 passed, 1 failed", 1],
  ["no test ran", { numPassedTests: 0, numFailedTests: 0 }, 0, "0 passed, 1 failed", 1],
])("the closing line when %s", (_, report, steps, line, code) => {
  const folder = mkdtempSync(join(tmpdir(), "berth-totals-"))
  const file = join(folder, "tests.json")
  if (report !== undefined) writeFileSync(file, JSON.stringify(report))
  const { status, stdout } = spawnSync(process.execPath, [script, file, String(steps)], { encoding: "utf8" })
  rmSync(folder, { recursive: true })
  assert.deepStrictEqual([stdout.trim(), status], [line, code])
})

it.each([
  ["all are green", [12, 0], [5, 0], 0, "17 passed, 0 failed", 0],
  ["tests of both failed", [9, 3], [4, 1], 2, "13 passed, 4 failed", 1],
  ["tests of one and the types failed", [9, 3], [5, 0], 2, "14 passed, 4 failed", 1],
  ["one ran no test", [12, 0], undefined, 1, "12 passed, 1 failed", 1],
  ["one ran no test, though its step says nothing", [12, 0], undefined, 0, "12 passed, 1 failed", 1],
] as const)("the closing line over two reports when %s", (_, first, second, steps, line, code) => {
  const folder = mkdtempSync(join(tmpdir(), "berth-totals-"))
  const files = [first, second].map((counts, index) => {
    const file = join(folder, `${index}.json`)
    if (counts !== undefined)
      writeFileSync(file, JSON.stringify({ numPassedTests: counts[0], numFailedTests: counts[1] }))
    return file
  })
  const { status, stdout } = spawnSync(process.execPath, [script, ...files, String(steps)], { encoding: "utf8" })
  rmSync(folder, { recursive: true })
  assert.deepStrictEqual([stdout.trim(), status], [line, code])
})

it("names each test that failed, and each file that did not load, with the first line of why", () => {
  const folder = mkdtempSync(join(tmpdir(), "berth-totals-"))
  const file = join(folder, "tests.json")
  const passed = { fullName: "adds up", status: "passed", failureMessages: [] }
  const failed = { fullName: "says why", status: "failed", failureMessages: ["expected 1 to be 2\n    at line 7"] }
  const testResults = [
    { name: join(folder, "a.test.ts"), status: "failed", message: "", assertionResults: [passed, failed] },
    { name: join(folder, "b.test.ts"), status: "failed", message: "no such module\n    at b", assertionResults: [] },
  ]
  writeFileSync(file, JSON.stringify({ numPassedTests: 1, numFailedTests: 1, testResults }))
  const { stdout } = spawnSync(process.execPath, [script, file, "1"], { cwd: folder, encoding: "utf8" })
  rmSync(folder, { recursive: true })
  assert.deepStrictEqual(stdout.trim().split("\n"), [
    "failed  a.test.ts > says why: expected 1 to be 2",
    "failed  b.test.ts: no such module",
    "1 passed, 1 failed",
  ])
})
