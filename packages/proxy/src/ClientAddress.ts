/**
 * Whose connection a request came by, as a key to count by. PURE. Behind proxies of our own the address is what the
 * outermost of them saw, which stands so many places from the right in `X-Forwarded-For`; what stands further left is the
 * client's own invention. An IPv6 client has a whole /64 to itself, so that counts as one address.
 */
import type { IncomingMessage } from "node:http"
import { isIPv4, isIPv6 } from "node:net"

/** The /64 of an IPv6 address that `isIPv6` accepts. */
const prefixOf = (address: string): string => {
  const [head = "", tail = ""] = (address.split("%")[0] ?? "").toLowerCase().split("::")
  const left = head === "" ? [] : head.split(":")
  const right = tail === "" ? [] : tail.split(":")
  // An IPv4 address at the end takes the place of two groups.
  const groups = left.length + right.length + (address.includes(".") ? 1 : 0)
  const all = address.includes("::") ? [...left, ...Array<string>(8 - groups).fill("0"), ...right] : left
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`
}

/** `198.51.100.7`, `2001:db8:1:2::/64`, or `unknown` for what is no address. */
export const keyOf = (address: string | undefined): string => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address ?? "")?.[1]
  if (mapped !== undefined) return mapped
  if (address === undefined) return "unknown"
  return isIPv4(address) ? address : isIPv6(address) ? prefixOf(address) : "unknown"
}

/** Without the port or brackets that some proxies write. */
const bare = (entry: string): string => {
  const text = entry.trim()
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1]
  return bracketed ?? (/^[\d.]+:\d+$/.test(text) ? (text.split(":")[0] as string) : text)
}

/**
 * `peer` is the other end of the connection, `hops` how many proxies of ours stand before this process. A request that
 * came by fewer of them, so that the header is shorter, is the peer's own.
 */
export const addressOf = (peer: string | undefined, forwardedFor: string | undefined, hops: number): string => {
  if (hops <= 0 || forwardedFor === undefined) return keyOf(peer)
  const entry = forwardedFor.split(",").at(-hops)
  return keyOf(entry === undefined ? peer : bare(entry))
}

/** Where a request came from: the client, and the peer on whose word that is taken. */
export interface Origin {
  readonly client: string
  readonly peer: string
}

export const originOf = ({ socket, headers }: IncomingMessage, hops: number): Origin => {
  const forwardedFor = headers["x-forwarded-for"]
  return {
    client: addressOf(socket.remoteAddress, Array.isArray(forwardedFor) ? forwardedFor.join(",") : forwardedFor, hops),
    peer: keyOf(socket.remoteAddress),
  }
}
