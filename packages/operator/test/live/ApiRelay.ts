/**
 * Stands between an operator and its apiserver, passes everything on as it is, and remembers what was asked and answered:
 * the operator's own client, seen from outside. Ends with the scope.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { Agent, createServer, request } from "node:https"
import type { AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import * as Effect from "effect/Effect"
import type { Handle } from "../cluster/Handle.ts"
import * as Pki from "../cluster/Pki.ts"

export interface Seen {
  readonly method: string
  /** With its query. */
  readonly url: string
  readonly status: number
}

export interface ApiRelay {
  /** What was answered so far, in the order of the answers. */
  readonly seen: ReadonlyArray<Seen>
  /** Path of a kubeconfig with the same credentials whose server is this. */
  readonly kubeconfig: string
}

const certificate = "relay"

/** `kubeconfig` is the path of the one to be relayed. */
export const apiRelay = Effect.fn("ApiRelay.apiRelay")(function* (
  cluster: Pick<Handle, "folder" | "facts">,
  kubeconfig: string,
) {
  const { folder, facts } = cluster
  yield* Pki.issue(folder, { name: certificate, user: certificate, serves: ["IP:127.0.0.1"] })
  const ca = Pki.read(folder, "ca.crt")
  const seen: Array<Seen> = []
  const upstream = new URL(facts.server)
  const agent = new Agent({ ca, keepAlive: true })
  const sockets = new Set<Duplex>()
  const server = createServer(
    { cert: Pki.read(folder, `${certificate}.crt`), key: Pki.read(folder, `${certificate}.key`) },
    (incoming, outgoing) => {
      const { headers, method = "", url = "" } = incoming
      const passed = request(
        { agent, host: upstream.hostname, port: upstream.port, method, path: url, headers },
        (answer) => {
          seen.push({ method, url, status: answer.statusCode ?? 0 })
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
          outgoing.flushHeaders()
          answer.pipe(outgoing)
          answer.on("error", () => outgoing.destroy())
        },
      )
      passed.on("error", () => outgoing.destroy())
      outgoing.on("close", () => passed.destroy())
      incoming.pipe(passed)
    },
  )
  server.on("connection", (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.on("error", (error) => resume(Effect.die(error)))
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        for (const socket of sockets) socket.destroy()
        agent.destroy()
      }),
  )
  const file = `${kubeconfig}.relayed`
  writeFileSync(file, readFileSync(kubeconfig, "utf8").replaceAll(facts.server, `https://127.0.0.1:${port}`), {
    mode: 0o600,
  })
  return { seen, kubeconfig: file } satisfies ApiRelay as ApiRelay
})
