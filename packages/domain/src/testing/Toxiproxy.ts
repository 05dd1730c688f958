/**
 * Links between a test's processes and its servers that can be hurt: slowed, cut, blackholed, chopped, by Toxiproxy over its
 * HTTP API. Data flows `upstream` to the server and `downstream` from it. Everything is gone when the scope closes.
 */
import * as Effect from "effect/Effect"
import { freePorts } from "./FreePorts.ts"
import { startServer } from "./ServerProcess.ts"
import { toxiproxyBinary } from "./ToxiproxyBinary.ts"

/** What is done to the data of every connection of a link, also to those that are open already. */
export type Toxic = {
  readonly stream: "upstream" | "downstream"
  /** Share of connections that it hurts, 0 to 1; all if not given. */
  readonly toxicity?: number
} & (
  | {
      readonly type: "latency"
      /** In ms; `jitter` to either side. */
      readonly attributes: { readonly latency: number; readonly jitter?: number }
    }
  /** KB a second. */
  | { readonly type: "bandwidth"; readonly attributes: { readonly rate: number } }
  /** Nothing gets through, and the connection is closed after so many ms; 0: it stays open and what is sent is lost. */
  | { readonly type: "timeout"; readonly attributes: { readonly timeout: number } }
  /** Connections are reset, as by a host that died, after so many ms. */
  | { readonly type: "reset_peer"; readonly attributes: { readonly timeout: number } }
  /** Pieces of about so many bytes, `delay` microseconds apart. */
  | {
      readonly type: "slicer"
      readonly attributes: { readonly average_size: number; readonly size_variation: number; readonly delay: number }
    }
  /** The connection is closed once so many bytes have passed. */
  | { readonly type: "limit_data"; readonly attributes: { readonly bytes: number } }
  /** Keeps a connection open so many ms after its end. */
  | { readonly type: "slow_close"; readonly attributes: { readonly delay: number } }
)

export interface Link {
  readonly host: string
  readonly port: number
  /** The same URL, by way of this link. */
  readonly through: (url: string) => string
  /** Refuses connections and cuts those that are open. */
  readonly down: Effect.Effect<void>
  readonly up: Effect.Effect<void>
  /** Hurts the link until the effect that it gives has run. */
  readonly add: (toxic: Toxic) => Effect.Effect<Effect.Effect<void>>
  /** Takes every toxic away and brings it up. */
  readonly heal: Effect.Effect<void>
}

export interface Toxiproxy {
  /** A link to the host and port of a URL. */
  readonly link: (url: string) => Effect.Effect<Link>
}

/** Starts a server of one's own; the ends of its links may start and stop as they like. */
export const startToxiproxy = Effect.fn("startToxiproxy")(function* () {
  const { port } = yield* startServer({
    name: "toxiproxy",
    binary: yield* toxiproxyBinary,
    args: (at) => ["-host", "127.0.0.1", "-port", String(at.port)],
    path: "/version",
    isUp: (answer) => answer.ok,
  })
  const origin = `http://127.0.0.1:${port}`
  let names = 0

  const call = (method: string, path: string, body?: object) =>
    Effect.promise(async () => {
      const response = await fetch(`${origin}${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`Toxiproxy answers ${response.status} to ${method} ${path}: ${text}`)
    })

  const link = Effect.fn("Toxiproxy.link")(function* (url: string) {
    const { hostname, port: upstreamPort, protocol } = new URL(url)
    const name = `link${names++}`
    const [port = 0] = yield* Effect.promise(() => freePorts(1))
    yield* call("POST", "/proxies", {
      name,
      listen: `127.0.0.1:${port}`,
      upstream: `${hostname}:${upstreamPort || defaultPorts[protocol]}`,
      enabled: true,
    })
    const toxics = new Set<string>()
    const add = Effect.fn("Link.add")(function* ({ stream, type, toxicity = 1, attributes }: Toxic) {
      const toxic = `toxic${names++}`
      yield* call("POST", `/proxies/${name}/toxics`, { name: toxic, stream, type, toxicity, attributes })
      toxics.add(toxic)
      return Effect.suspend(() =>
        toxics.delete(toxic) ? call("DELETE", `/proxies/${name}/toxics/${toxic}`) : Effect.void,
      )
    })
    const up = call("POST", `/proxies/${name}`, { enabled: true })
    return {
      host: "127.0.0.1",
      port,
      through: (original) => {
        const changed = new URL(original)
        changed.host = `127.0.0.1:${port}`
        return changed.href
      },
      down: call("POST", `/proxies/${name}`, { enabled: false }),
      up,
      add,
      heal: Effect.suspend(() => {
        const left = [...toxics]
        toxics.clear()
        return Effect.andThen(
          Effect.forEach(left, (toxic) => call("DELETE", `/proxies/${name}/toxics/${toxic}`), { discard: true }),
          up,
        )
      }),
    } satisfies Link as Link
  })

  return { link } satisfies Toxiproxy as Toxiproxy
})

const defaultPorts: Readonly<Record<string, number>> = { "redis:": 6379, "postgres:": 5432, "http:": 80 }
