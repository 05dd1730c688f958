/** A fault to plant: a suite that stays green with it in place proves nothing. */
export interface Mutant {
  /** Short and unique, e.g. `hold-not-atomic`. */
  readonly name: string
  /** What the fault does to a customer, in a line. */
  readonly fault: string
  /** The source file, from the root. */
  readonly file: string
  /** Stands exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** The test files that must notice. */
  readonly tests: ReadonlyArray<string>
}
