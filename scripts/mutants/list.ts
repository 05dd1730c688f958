/** The planted faults, one or more for each invariant of ARCHITECTURE.md that a test must guard, the fastest suites first. */
import { control } from "./list/control.ts"
import { domain } from "./list/domain.ts"
import { operator } from "./list/operator.ts"
import { proxy } from "./list/proxy.ts"
import type { Mutant } from "./mutant.ts"

export const mutants: ReadonlyArray<Mutant> = [...domain, ...operator, ...proxy, ...control]
