import { describe } from "@effect/vitest"
import * as Layer from "effect/Layer"
import * as AtTheEdge from "./AtTheEdge.ts"
import * as World from "./World.ts"

describe("admission on an allowance in memory", () => {
  AtTheEdge.suite(() => Layer.fresh(World.memory))
})
