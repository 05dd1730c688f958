/** The planted faults, one for each invariant of ARCHITECTURE.md that a test must guard. */
import type { Mutant } from "./mutant.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "open-holds-ignored",
    fault:
      "requests that run at the same time are each admitted as if alone, so a customer gets more than was paid for",
    file: "packages/domain/src/Allowance/Admit.ts",
    find: "if (used + held + least > cap)",
    replace: "if (used + least > cap)",
    tests: ["packages/domain/test/AllowanceMemory.test.ts"],
  },
]
