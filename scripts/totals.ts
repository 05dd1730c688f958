/**
 * The closing line of `.ci/run`: tests passed and failed, out of vitest's JSON report. A step that failed without a failing
 * test (types, a surviving mutant, a file that would not load) counts as one failure; no report at all does too.
 */
import { readFileSync } from "node:fs"

const [report = "", steps = "0"] = process.argv.slice(2)

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
}

const read = (): Report => {
  try {
    return JSON.parse(readFileSync(report, "utf8"))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0 }
  }
}

const { numFailedTests, numPassedTests } = read()
const failed = Math.max(Number(steps), numFailedTests + Number(steps) - (numFailedTests > 0 ? 1 : 0))
const nothing = numPassedTests + numFailedTests === 0 ? 1 : 0
console.log(`${numPassedTests} passed, ${Math.max(failed, nothing)} failed`)
process.exit(failed + nothing === 0 ? 0 : 1)
