/** Object storage for exports: a real S3 server, for pods at a public address like any other on the internet. */
import { startS3 } from "@berth/domain/testing/S3Server"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Addresses from "../../packages/operator/test/cluster/node/Addresses.ts"
import { hostRelay } from "../../packages/operator/test/platform/Relay.ts"
import { published } from "./Published.ts"

const address = "203.0.113.20:443"

export const start = Effect.fn("Storage.start")(function* (folder: string) {
  const { url } = yield* Effect.orDie(startS3())
  const here = new URL(Redacted.value(url))
  const relay = yield* hostRelay(Addresses.hostAddress, Number(here.port))
  yield* published(folder, "storage", address, relay.port)
  return {
    /** EXPORT_URL for who runs on this machine. */
    url: here.href,
    /** EXPORT_URL for pods. */
    outside: here.href.replace(here.host, address),
  }
})
