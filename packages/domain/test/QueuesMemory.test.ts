import * as TestClock from "effect/testing/TestClock"
import { AgentEvents } from "../src/AgentEvents.ts"
import { CustomerBus } from "../src/CustomerBus.ts"
import { JobQueue } from "../src/JobQueue.ts"
import { agentEventsContract } from "../src/testing/contracts/AgentEventsContract.ts"
import { customerBusContract } from "../src/testing/contracts/CustomerBusContract.ts"
import { jobQueueContract } from "../src/testing/contracts/JobQueueContract.ts"

jobQueueContract("memory", JobQueue.layerMemory)
agentEventsContract("memory", AgentEvents.layerMemory, TestClock.adjust("30 seconds"))
customerBusContract("memory", CustomerBus.layerMemory)
