import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { addressOf, keyOf } from "../src/ClientAddress.ts"

describe("the key of an address", () => {
  for (const [address, key] of [
    ["198.51.100.7", "198.51.100.7"],
    ["::ffff:198.51.100.7", "198.51.100.7"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:0DB8:0001:0002::", "2001:db8:1:2::/64"],
    ["2001:db8::1", "2001:db8:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["64:ff9b::198.51.100.7", "64:ff9b:0:0::/64"],
    ["1:2:3:4:5:6:198.51.100.7", "1:2:3:4::/64"],
    [undefined, "unknown"],
    ["", "unknown"],
    ["unknown", "unknown"],
    ["198.51.100.7, 203.0.113.1", "unknown"],
  ] as const) {
    it(`of ${address} is ${key}`, () => {
      assert.strictEqual(keyOf(address), key)
    })
  }

  it("is the same for a whole /64, and another for another", () => {
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), (one, other) => {
        // The eight groups, by the platform's own reading of an address.
        const groups = (address: string) => {
          const [head = "", tail = ""] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::")
          const [left, right] = [head, tail].map((half) => (half === "" ? [] : half.split(":")))
          const gap = Array<string>(8 - (left?.length ?? 0) - (right?.length ?? 0)).fill("0")
          return [...(left ?? []), ...gap, ...(right ?? [])].slice(0, 4).join(":")
        }
        const isMapped = (address: string) => keyOf(address).includes(".")
        fc.pre(!isMapped(one) && !isMapped(other))
        assert.strictEqual(keyOf(one) === keyOf(other), groups(one) === groups(other))
      }),
      { numRuns: 1_000 },
    )
  })
})

describe("the address of a client", () => {
  const peer = "10.0.0.1"
  it("is the peer's own when no proxy of ours stands before us, whatever the header says", () => {
    assert.strictEqual(addressOf(peer, "203.0.113.9", 0), peer)
  })
  it("is what our outermost proxy saw, counted from the right; what stands further left is invented", () => {
    assert.strictEqual(addressOf(peer, "203.0.113.9", 1), "203.0.113.9")
    assert.strictEqual(addressOf(peer, "1.1.1.1, 203.0.113.9", 1), "203.0.113.9")
    assert.strictEqual(addressOf(peer, "1.1.1.1, 203.0.113.9,10.1.1.1", 2), "203.0.113.9")
  })
  it("is the peer's where the header names fewer than it must", () => {
    assert.strictEqual(addressOf(peer, undefined, 1), peer)
    assert.strictEqual(addressOf(peer, "203.0.113.9", 2), peer)
  })
  it("is read without the port and brackets that some proxies write, and unknown if it is none", () => {
    assert.strictEqual(addressOf(peer, "203.0.113.9:51000", 1), "203.0.113.9")
    assert.strictEqual(addressOf(peer, "[2001:db8::9]:51000", 1), "2001:db8:0:0::/64")
    assert.strictEqual(addressOf(peer, "2001:db8::9", 1), "2001:db8:0:0::/64")
    assert.strictEqual(addressOf(peer, "<script>", 1), "unknown")
  })
})
