import { assert, describe, it } from "@effect/vitest"
import { openRangesOf } from "../../src/desired/ClusterRanges.ts"
import type { Stored } from "../../src/Manifest.ts"

const node = (addresses: ReadonlyArray<string>, podCIDRs: ReadonlyArray<string> = []): Stored => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "n", uid: "1", resourceVersion: "1", creationTimestamp: "2026-11-01T00:00:00Z" },
  spec: { podCIDRs },
  status: { addresses: addresses.map((address) => ({ type: "ExternalIP", address })) },
})

describe("the cluster's own ranges", () => {
  it("are its nodes' public addresses of both families, sorted and each once", () => {
    assert.deepStrictEqual(
      openRangesOf([node(["203.0.113.9", "2001:db8::9"]), node(["203.0.113.7"]), node(["203.0.113.9"])]),
      ["2001:db8::9/128", "203.0.113.7/32", "203.0.113.9/32"],
    )
  })

  it("leave out what is closed to agents anyway, and what is no address", () => {
    const closed = ["10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.9", "169.254.1.1", "fd00::1", "fe80::1"]
    assert.deepStrictEqual(openRangesOf([node([...closed, "node-1.example"], ["10.42.0.0/24"])]), [])
  })

  it("include the ranges of pods where those are public", () => {
    assert.deepStrictEqual(openRangesOf([node([], ["10.42.0.0/24", "2001:db8:1::/64"])]), ["2001:db8:1::/64"])
  })
})
