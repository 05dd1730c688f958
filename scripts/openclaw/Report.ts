/** The table as it is printed. */
import type { Outcome } from "./Row.ts"

const short = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`)

export const headings =
  "row | requests | at the upstream | answers | the user sees | next message\n--- | --- | --- | --- | --- | ---"

export const line = (outcome: Outcome): string => {
  const seen =
    outcome.sees.length === 0
      ? "nothing"
      : outcome.sees.map((text) => short(text.replace(/\s+/g, " "), 160)).join(" ∥ ")
  const after = outcome.after === undefined ? "" : ` (${outcome.after} s)`
  const next = outcome.next ? "works" : "blocked"
  return [outcome.name, outcome.requests, outcome.upstream, outcome.answers.join(", "), `${seen}${after}`, next].join(
    " | ",
  )
}

export const problemLines = (outcome: Outcome): ReadonlyArray<string> =>
  outcome.problems.map((problem) => `  FAILED ${outcome.name}: ${problem}`)
