import { assert, describe, it } from "@effect/vitest"
import { isSameSite } from "../../src/api/SameSite.ts"

const nothing = { host: "berth.example", origin: undefined, secFetchSite: undefined }

describe("a request of our own", () => {
  it("comes from our origin, or from no browser", () => {
    assert.isTrue(isSameSite("https://berth.example", nothing))
    assert.isTrue(isSameSite("https://berth.example", { ...nothing, origin: "https://berth.example" }))
  })
  it.each([
    { origin: "https://evil.example" },
    { origin: "https://berth.example.evil.example" },
    { origin: "http://berth.example" },
    { origin: "https://berth.example:8443" },
    { origin: "null" },
    { secFetchSite: "cross-site" },
    { host: "evil.example" },
    { host: undefined },
  ])("does not come with %j", (asking) => {
    assert.isFalse(isSameSite("https://berth.example", { ...nothing, ...asking }))
  })
  it("comes from any port of this machine, if we are on it", () => {
    const local = { host: "localhost:3002", origin: "http://127.0.0.1:5173", secFetchSite: "same-site" }
    assert.isTrue(isSameSite("http://127.0.0.1:3000", local))
    assert.isFalse(isSameSite("http://127.0.0.1:3000", { ...local, origin: "http://evil.example" }))
    assert.isFalse(isSameSite("http://127.0.0.1:3000", { ...local, host: "rebound.example:3000" }))
  })
})
