import * as Layer from "effect/Layer"
import { Allowance } from "../src/Allowance.ts"
import { allowanceChangesContract } from "../src/testing/contracts/AllowanceChangesContract.ts"
import { allowanceContract } from "../src/testing/contracts/AllowanceContract.ts"
import { usageEventsContract } from "../src/testing/contracts/UsageEventsContract.ts"
import { UsageEvents } from "../src/UsageEvents.ts"

const memory = Layer.merge(Allowance.layerMemory, UsageEvents.layerMemory)

allowanceContract("memory", memory)
allowanceChangesContract("memory", memory)
usageEventsContract("memory", memory)
