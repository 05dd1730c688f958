/** Vitest's JSON reports of several runs as one. Pure. */

/** The part of it that counts. */
export interface Report {
  readonly numTotalTests: number
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly testResults: ReadonlyArray<unknown>
}

export const merge = (reports: ReadonlyArray<Report>): Report => {
  const sum = (field: "numTotalTests" | "numPassedTests" | "numFailedTests") =>
    reports.reduce((total, report) => total + report[field], 0)
  return {
    numTotalTests: sum("numTotalTests"),
    numPassedTests: sum("numPassedTests"),
    numFailedTests: sum("numFailedTests"),
    testResults: reports.flatMap(({ testResults }) => testResults),
  }
}
