import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { redactUrl } from "effect/http/UrlParams"
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

  it("is taken with whatever a mail program adds to it", () => {
    const links = of()
    assert.deepStrictEqual(links.read(`${tokenOf(links.urlOf(link))}&utm_source=mail`), Option.some(link))
  })

  it("has nothing in a trace by which it could be used", () => {
    const url = of().urlOf(link)
    const [, signature = "none"] = url.split("?sig=")
    assert.include(url, signature)
    assert.notInclude(redactUrl(url), signature)
  })

  it("is worth nothing with any part of it changed, cut, or signed by another key", () => {
    const links = of()
    const token = tokenOf(links.urlOf(link))
    const [name = "", signature = ""] = token.split("?sig=")
    const [customer, generation, expiresAt] = name.split(".")
    const another = tokenOf(of(Redacted.make("another key")).urlOf(link))
    for (const wrong of [
      `c-bob.${generation}.${expiresAt}?sig=${signature}`,
      `${customer}.8.${expiresAt}?sig=${signature}`,
      `${customer}.${generation}.9${expiresAt}?sig=${signature}`,
      `${name}?sig=${signature.slice(0, -1)}`,
      `${name}?sig=${signature.slice(1)}A`,
      `${name}?sig=`,
      name,
      `${token}x`,
      `${token}/../..`,
      "",
      another,
    ])
      assert.isTrue(Option.isNone(links.read(wrong)), wrong)
  })
})
