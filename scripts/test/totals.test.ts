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
