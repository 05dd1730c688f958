/**
 * `node OutsideRelay.ts LISTEN TARGET`, both as host:port: passes bytes on. Started in the network namespace that plays the
 * internet, it is a public address with a server of a test behind it.
 */
import { runMain } from "@berth/domain/Launch"
import * as Effect from "effect/Effect"
import { relay } from "../../packages/operator/test/platform/Relay.ts"

const [listen = "", target = ""] = process.argv.slice(2)
const at = (address: string) => {
  const [host = "", port = ""] = address.split(":")
  return { host, port: Number(port) }
}

runMain(Effect.scoped(Effect.andThen(relay(at(listen), at(target)), Effect.never)))
