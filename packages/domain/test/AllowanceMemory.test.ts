import * as Layer from "effect/Layer"
import { Allowance } from "../src/Allowance.ts"
import { allowanceCapsContract } from "../src/testing/contracts/AllowanceCapsContract.ts"
import { allowanceChangesContract } from "../src/testing/contracts/AllowanceChangesContract.ts"
import { allowanceCompareContract } from "../src/testing/contracts/AllowanceCompareContract.ts"
import { allowanceContract } from "../src/testing/contracts/AllowanceContract.ts"
import { usageEventsContract } from "../src/testing/contracts/UsageEventsContract.ts"
import { Switches } from "../src/Switches.ts"
import { UsageEvents } from "../src/UsageEvents.ts"

const memory = Layer.mergeAll(Allowance.layerMemory, UsageEvents.layerMemory, Switches.layerMemory)

allowanceContract("memory", memory)
allowanceChangesContract("memory", memory)
allowanceCapsContract("memory", memory)
allowanceCompareContract("memory", memory)
usageEventsContract("memory", memory)
