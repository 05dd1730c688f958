/** The connection to the upstream, against a server that offers what a public one does. */
import { createSecureServer } from "node:http2"
import type { AddressInfo } from "node:net"
import { getCACertificates, setDefaultCACertificates } from "node:tls"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Kimi } from "../src/Kimi.ts"
import { Settings } from "../src/Settings.ts"

/** For 127.0.0.1, signed by itself. */
const identity = {
  key: `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIMIbpxqeEvyfr0ILS/pRGFeyiu8t3Nvto4qadn0J/ts2
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBTjCCAQCgAwIBAgIUIcOVVJnRmytyCol3clZiKXJKWAgwBQYDK2VwMBMxETAP
BgNVBAMMCHVwc3RyZWFtMCAXDTI2MTIwMTAzMTk1NFoYDzIxMjYxMTA3MDMxOTU0
WjATMREwDwYDVQQDDAh1cHN0cmVhbTAqMAUGAytlcAMhAPHcmQ+BHPW/4iJx/9r7
2OCEnNjW3sEUHF8ZugfmuF8Jo2QwYjAdBgNVHQ4EFgQUTsD93Cm+BL7Km/uhDi65
unp/kEEwHwYDVR0jBBgwFoAUTsD93Cm+BL7Km/uhDi65unp/kEEwDwYDVR0TAQH/
BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAUGAytlcANBAECM6AwYqsKP4UQrniwV
xT9ay7UEVvRSAlnkfkobtBUlO3ehkaK6ykjI2T0MO+BDH6XXZwrgpho0n7ig8qVN
cAw=
-----END CERTIFICATE-----`,
}

const trusted = Effect.acquireRelease(
  Effect.sync(() => {
    const before = getCACertificates("default")
    setDefaultCACertificates([...before, identity.cert])
    return before
  }),
  (before) => Effect.sync(() => setDefaultCACertificates(before)),
)

it.live("the upstream is spoken to over HTTP/1.1 although it offers HTTP/2 as well", () =>
  Effect.gen(function* () {
    yield* trusted
    const versions: Array<string> = []
    const server = createSecureServer({ ...identity, allowHTTP1: true }, (request, response) => {
      versions.push(request.httpVersion)
      response.end(JSON.stringify({ data: { available_balance: 7 } }))
    })
    const port = yield* Effect.acquireRelease(
      Effect.callback<number>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
      }),
      () => Effect.sync(() => server.close()),
    )
    const kimi = Kimi.layerOf({
      apiKey: Redacted.make("sk-upstream"),
      baseUrl: new URL(`https://127.0.0.1:${port}/v1`),
    }).pipe(Layer.provide(Settings.layerOf({})))
    const balance = yield* Kimi.use((one) => one.balance).pipe(Effect.provide(kimi))
    assert.deepStrictEqual([balance, ...versions], [7, "1.1"])
  }).pipe(Effect.scoped),
)
