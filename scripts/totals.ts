/**
 * The closing line of `.ci/run`: tests passed and failed, out of vitest's JSON reports. A step that failed without a failing
 * test (types, a surviving mutant, a file that would not load) counts as one failure; a report that is missing or empty does
 * too.
 */
import { readFileSync } from "node:fs"

const reports = process.argv.slice(2, -1)
const steps = Number(process.argv.at(-1))

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
}

const read = (file: string): Report => {
  try {
    return JSON.parse(readFileSync(file, "utf8"))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0 }
  }
}

const all = reports.map(read)
const sum = (of: (report: Report) => number) => all.reduce((total, report) => total + of(report), 0)
const passed = sum(({ numPassedTests }) => numPassedTests)
const failedTests = sum(({ numFailedTests }) => numFailedTests)
const stepsOfTests = all.filter(({ numFailedTests }) => numFailedTests > 0).length
const empty = all.filter(({ numFailedTests, numPassedTests }) => numPassedTests + numFailedTests === 0).length
const failed = Math.max(steps, failedTests + Math.max(0, steps - stepsOfTests), empty)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
