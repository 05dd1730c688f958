/**
 * Whether a request that a browser's cookie would authorise comes from our own pages. Pure. SameSite=Lax keeps the cookie
 * away from most foreign requests; this refuses the rest, and hosts that a DNS rebinding would use.
 */
const loopback = new Set(["localhost", "127.0.0.1", "[::1]"])

const hostOf = (url: string): URL | undefined => URL.parse(url) ?? undefined

export interface Asking {
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly secFetchSite: string | undefined
}

/** `publicOrigin` is ours. On a loopback address every port of it counts, so that the parts may run apart in development. */
export const isSameSite = (publicOrigin: string, asking: Asking): boolean => {
  const ours = hostOf(publicOrigin)
  const host = hostOf(`${ours?.protocol ?? "http:"}//${asking.host ?? ""}`)
  if (ours === undefined || host === undefined) return false
  const isOurs = (url: URL): boolean =>
    loopback.has(ours.hostname) ? loopback.has(url.hostname) : url.host === ours.host
  if (!isOurs(host)) return false
  if (asking.origin === undefined) return (asking.secFetchSite ?? "none") !== "cross-site"
  const origin = hostOf(asking.origin)
  return origin !== undefined && origin.protocol === ours.protocol && isOurs(origin)
}
