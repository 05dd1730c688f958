import { assert, it } from "@effect/vitest"
import * as Option from "effect/Option"
import { isLocal } from "../../src/embedded/LoopbackOnly.ts"

it("lets this machine see what is embedded, by a name of this machine alone", () => {
  const from = (host: string, address: string | undefined) => isLocal({ host }, Option.fromUndefinedOr(address))
  for (const host of ["localhost", "localhost:3000", "127.0.0.1:3000", "[::1]:3000"])
    assert.isTrue(from(host, "127.0.0.1"))
  assert.isTrue(from("localhost:3000", "::ffff:127.0.0.1"))
  assert.isFalse(from("evil.example", "127.0.0.1"))
  assert.isFalse(from("localhost.evil.example", "127.0.0.1"))
  assert.isFalse(from("localhost:3000", "192.168.1.7"))
  assert.isFalse(isLocal({}, Option.none()))
})
