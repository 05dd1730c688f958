import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"
import { Allowance } from "../src/Allowance.ts"
import { play, Steps } from "../src/testing/contracts/AllowanceProperties.ts"
import { Switches } from "../src/Switches.ts"
import { UsageEvents } from "../src/UsageEvents.ts"

const memory = Layer.mergeAll(Allowance.layerMemory, UsageEvents.layerMemory, Switches.layerMemory)

describe("Allowance in memory", () => {
  it.effect.prop(
    "tells no history of holds, periods, changes and losses apart from a naive model",
    { steps: Steps },
    ({ steps }) => play(steps).pipe(Effect.provide(Layer.fresh(memory)), Effect.provide(TestClock.layer())),
    { timeout: 60_000, arbitrary: { runs: 500, size: 80 } },
  )
})
