/**
 * Stands between one operator and its kube-apiserver and decides what becomes of each request: passed on, cut before the
 * server had it or after it was carried out, answered in the server's place, or left without an answer. Speaks with the
 * server's own certificate, so that the operator notices nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { Agent, createServer, request } from "node:https"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import type { ControlPlane } from "../cluster/ControlPlane.ts"
import * as Pki from "../cluster/Pki.ts"

export interface Asked {
  readonly method: string
  readonly path: string
  readonly watch: boolean
}

/** `also` runs at the very moment. */
export type Fate =
  | { readonly _tag: "Pass" }
  /** The connection breaks: the server has never heard of it, or has done it and its answer is lost. */
  | { readonly _tag: "Cut"; readonly server: "never" | "done"; readonly also?: () => void }
  | { readonly _tag: "Answer"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** It is carried out, and no answer ever comes. */
  | { readonly _tag: "Silence" }

export const pass: Fate = { _tag: "Pass" }

/** A write that brings an agent on; leases and Kubernetes Events do not. */
export const isWork = ({ method, path }: Asked): boolean =>
  method !== "GET" && !/\/(?:leases|events)(?:\/|$)/.test(path)

export interface FaultyApi {
  readonly server: string
  /** Asked for every request from now on; `undefined` passes all. */
  readonly decide: (rule: ((asked: Asked) => Fate) | undefined) => Effect.Effect<void>
  /** Breaks every watch that is open now; how many. */
  readonly cutWatches: Effect.Effect<number>
}

const bodyOf = async (incoming: IncomingMessage): Promise<Buffer> => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of incoming) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}

const refusal = (status: number) =>
  JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", message: "a fault of the test", code: status })

/** Open until the scope closes. */
export const faultyApi = (plane: ControlPlane["Service"]) =>
  Effect.acquireRelease(
    Effect.callback<FaultyApi & { readonly close: () => void }>((resume) => {
      const target = new URL(plane.facts.server)
      const agent = new Agent({ ca: Pki.read(plane.folder, "ca.crt"), keepAlive: true })
      const watches = new Set<ServerResponse>()
      let rule: ((asked: Asked) => Fate) | undefined

      const forward = (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer, asked: Asked, fate: Fate) => {
        const upstream = request(
          new URL(incoming.url ?? "/", target),
          { method: incoming.method, agent, headers: { ...incoming.headers, host: target.host } },
          (answer) => {
            if (fate._tag !== "Pass") {
              const lose = () => {
                if (fate._tag !== "Cut") return
                fate.also?.()
                outgoing.destroy()
              }
              answer.resume()
              // A watch never ends: that it began is its answer.
              if (asked.watch) lose()
              else answer.on("end", lose)
              return
            }
            answer.on("error", () => outgoing.destroy())
            outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
            outgoing.flushHeaders()
            answer.pipe(outgoing)
          },
        )
        upstream.on("error", () => outgoing.destroy())
        if (asked.watch) {
          watches.add(outgoing)
          outgoing.on("close", () => {
            watches.delete(outgoing)
            upstream.destroy()
          })
        }
        upstream.end(body)
      }

      const listener = async (incoming: IncomingMessage, outgoing: ServerResponse) => {
        outgoing.on("error", () => outgoing.destroy())
        const body = await bodyOf(incoming)
        const { pathname, searchParams } = new URL(incoming.url ?? "/", target)
        const asked = { method: incoming.method ?? "GET", path: pathname, watch: searchParams.has("watch") }
        const fate = rule?.(asked) ?? pass
        if (fate._tag === "Cut" && fate.server === "never") {
          fate.also?.()
          return void outgoing.destroy()
        }
        if (fate._tag === "Answer") {
          outgoing.writeHead(fate.status, { "content-type": "application/json", ...fate.headers })
          return void outgoing.end(refusal(fate.status))
        }
        forward(incoming, outgoing, body, asked, fate)
      }

      const server = createServer(
        { cert: Pki.read(plane.folder, "apiserver.crt"), key: Pki.read(plane.folder, "apiserver.key") },
        // A request whose sender died half-way has no end and no answer.
        (incoming, outgoing) => void listener(incoming, outgoing).catch(() => outgoing.destroy()),
      )
      server.on("tlsClientError", () => {
        // A client that was killed while it connected.
      })
      server.listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
            decide: (next) => Effect.sync(() => void (rule = next)),
            cutWatches: Effect.sync(() => {
              const open = [...watches]
              for (const one of open) one.destroy()
              return open.length
            }),
            close: () => {
              server.close()
              server.closeAllConnections()
              agent.destroy()
            },
          }),
        ),
      )
    }),
    ({ close }) => Effect.sync(close),
  )
