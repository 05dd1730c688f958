/**
 * What a customer's agent can reach, and do to the machine, tried from inside a pod that the real operator made, on a real
 * node: every rule of docs/isolation.md. A refusal counts only beside somebody who gets through.
 */
import { describe, layer } from "@effect/vitest"
import { gateTests } from "./Gate.ts"
import { harmTests } from "./Harm.ts"
import { mutantTests } from "./Mutants.ts"
import { networkTests } from "./Network.ts"
import { podTests } from "./Pod.ts"
import { secretTests } from "./Secrets.ts"
import { Stage } from "./Stage.ts"

describe("a customer's agent", () => {
  layer(Stage.layer, { excludeTestServices: true, timeout: "15 minutes" })((it) => {
    networkTests(it)
    podTests(it)
    secretTests(it)
    mutantTests(it)
    gateTests(it)
    harmTests(it)
  })
})
