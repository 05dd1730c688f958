/**
 * Which of the cluster's own addresses an agent could reach as if they were the public internet's. Private ranges are closed
 * to agents anyway; a node's public address is not, and behind it stand the platform's own doors. Pure.
 */
import { BlockList, isIP } from "node:net"
import { at, type Stored } from "../Manifest.ts"
import { closedRanges, closedRanges6 } from "./NetworkPolicy.ts"

const familyOf = (address: string) => (isIP(address) === 6 ? "ipv6" : "ipv4")

const split = (range: string): readonly [address: string, prefix: number] => {
  const [address = "", prefix = ""] = range.split("/")
  return [address, Number(prefix)]
}

const closed = new BlockList()
for (const range of [...closedRanges, ...closedRanges6]) {
  const [address, prefix] = split(range)
  closed.addSubnet(address, prefix, familyOf(address))
}

const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** Addresses of one node, and of pods on it, as ranges. What is no address (a host name) is left out. */
const rangesOf = (node: Stored): ReadonlyArray<string> => [
  ...list(at(node, "status", "addresses")).flatMap((one) => {
    const address = String(at(one, "address"))
    return isIP(address) === 0 ? [] : [`${address}/${isIP(address) === 6 ? 128 : 32}`]
  }),
  ...list(at(node, "spec", "podCIDRs")).map(String),
]

/** What of these nodes is not closed to agents already: sorted, each once. */
export const openRangesOf = (nodes: Iterable<Stored>): ReadonlyArray<string> => {
  const open = [...nodes].flatMap(rangesOf).filter((range) => {
    const [address] = split(range)
    return isIP(address) !== 0 && !closed.check(address, familyOf(address))
  })
  return [...new Set(open)].sort()
}
