/** Finds a Toxiproxy server for the integration tier, or has it built. */
import { binary, type GoProgram, possible } from "./GoBinary.ts"

const toxiproxy: GoProgram = {
  title: "Toxiproxy",
  name: "toxiproxy-server",
  version: "v2.12.0",
  module: "github.com/Shopify/toxiproxy/v2/cmd/server",
}

/** Fails if it can't be had. */
export const toxiproxyPossible = possible(toxiproxy)

/** Path of a server that can be run. The first call of a checkout may take a minute: it builds it. */
export const toxiproxyBinary = binary(toxiproxy)
