/** Puts a server of this machine at an address of the network that plays the internet, until the scope ends. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Components from "../../packages/operator/test/cluster/Components.ts"
import * as Addresses from "../../packages/operator/test/cluster/node/Addresses.ts"

/** `listen` is an address and a port there, `port` one that answers on the address of this machine that the outside knows. */
export const published = (folder: string, name: string, listen: string, port: number) => {
  Components.define(folder, name, {
    command: process.execPath,
    args: [join(import.meta.dirname, "OutsideRelay.ts"), listen, `${Addresses.hostAddress}:${port}`],
    network: Addresses.networkFile(Addresses.outsideNetwork),
  })
  return Effect.acquireRelease(
    Effect.sync(() => Components.start(folder, name)),
    () => Effect.sync(() => Components.kill(folder, name)),
  )
}
