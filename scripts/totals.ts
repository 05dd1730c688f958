/**
 * The end of what `.ci/run` prints: each test that failed with the first line of why, and the closing line: tests passed and
 * failed, out of vitest's JSON reports. A step that failed without a failing test (types, a surviving mutant, a file that
 * would not load) counts as one failure; a report that is missing or empty does too.
 */
import { readFileSync } from "node:fs"
import { relative } from "node:path"

const reports = process.argv.slice(2, -1)
const steps = Number(process.argv.at(-1))

interface Test {
  readonly fullName: string
  readonly status: string
  readonly failureMessages: ReadonlyArray<string>
}

interface TestFile {
  readonly name: string
  readonly status: string
  readonly message: string
  readonly assertionResults: ReadonlyArray<Test>
}

interface Report {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults?: ReadonlyArray<TestFile>
}

const read = (file: string): Report => {
  try {
    return JSON.parse(readFileSync(file, "utf8"))
  } catch {
    return { numPassedTests: 0, numFailedTests: 0 }
  }
}

const why = (message = "") => message.replace(/\n.*/s, "").slice(0, 300)

const failures = ({ testResults = [] }: Report) =>
  testResults.flatMap((file) => {
    const failed = file.assertionResults.filter(({ status }) => status === "failed")
    const at = relative(process.cwd(), file.name)
    const ofTests = failed.map((test) => `failed  ${at} > ${test.fullName}: ${why(test.failureMessages[0])}`)
    return failed.length === 0 && file.status === "failed" ? [`failed  ${at}: ${why(file.message)}`] : ofTests
  })

const all = reports.map(read)
for (const line of all.flatMap(failures)) console.log(line)
const sum = (of: (report: Report) => number) => all.reduce((total, report) => total + of(report), 0)
const passed = sum(({ numPassedTests }) => numPassedTests)
const failedTests = sum(({ numFailedTests }) => numFailedTests)
const stepsOfTests = all.filter(({ numFailedTests }) => numFailedTests > 0).length
const empty = all.filter(({ numFailedTests, numPassedTests }) => numPassedTests + numFailedTests === 0).length
const failed = Math.max(steps, failedTests + Math.max(0, steps - stepsOfTests), empty)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
