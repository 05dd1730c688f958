/** Finds Stripe's own mock for the integration tier, or has it built: it refuses what Stripe's specification does not know. */
import { binary, type GoProgram, possible } from "./GoBinary.ts"

const stripeMock: GoProgram = {
  title: "stripe-mock",
  name: "stripe-mock",
  version: "v0.203.0",
  module: "github.com/stripe/stripe-mock",
}

/** Fails if it can't be had. */
export const stripeMockPossible = possible(stripeMock)

/** Path of a server that can be run. The first call of a checkout may take a minute: it builds it. */
export const stripeMockBinary = binary(stripeMock)
