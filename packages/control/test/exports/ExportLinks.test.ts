import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { ExportLinks } from "../../src/exports/ExportLinks.ts"
import { linkKey } from "./World.ts"

const of = (key = linkKey) =>
  Effect.runSync(Effect.provide(ExportLinks, Layer.fresh(ExportLinks.layer("https://berth.test", key))))

const link = { customerId: CustomerId.make("c-ada"), generation: 7, expiresAt: 1_800_000_000_000 }
const tokenOf = (url: string) => url.slice("https://berth.test/api/exports/".length)

describe("a link to an export", () => {
  it("says which export it is for and when it ends, to who knows the key", () => {
    const links = of()
    assert.deepStrictEqual(links.read(tokenOf(links.urlOf(link))), Option.some(link))
  })

  it("is worth nothing with any part of it changed, cut, or signed by another key", () => {
    const links = of()
    const token = tokenOf(links.urlOf(link))
    const [customer, generation, expiresAt, signature = ""] = token.split(".")
    const another = tokenOf(of(Redacted.make("another key")).urlOf(link))
    for (const wrong of [
      `c-bob.${generation}.${expiresAt}.${signature}`,
      `${customer}.8.${expiresAt}.${signature}`,
      `${customer}.${generation}.9${expiresAt}.${signature}`,
      `${customer}.${generation}.${expiresAt}.${signature.slice(0, -1)}`,
      `${customer}.${generation}.${expiresAt}.${signature.slice(1)}A`,
      `${customer}.${generation}.${expiresAt}.`,
      `${token}x`,
      `${token}/../..`,
      "",
      another,
    ])
      assert.isTrue(Option.isNone(links.read(wrong)), wrong)
  })
})
