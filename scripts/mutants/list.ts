/** The planted faults, one or more for each invariant of ARCHITECTURE.md that a test must guard, the fastest suites first. */
import { cluster } from "./list/cluster.ts"
import { control } from "./list/control.ts"
import { domain } from "./list/domain.ts"
import { exportFaults } from "./list/export.ts"
import { faults } from "./list/faults.ts"
import { healthFaults } from "./list/health.ts"
import { objects } from "./list/objects.ts"
import { operator } from "./list/operator.ts"
import { operatorCore } from "./list/operator-core.ts"
import { proxy } from "./list/proxy.ts"
import type { Mutant } from "./mutant.ts"

export const mutants: ReadonlyArray<Mutant> = [
  ...domain,
  ...operator,
  ...objects,
  ...operatorCore,
  ...exportFaults,
  ...faults,
  ...healthFaults,
  ...cluster,
  ...proxy,
  ...control,
]
