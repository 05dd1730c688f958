/**
 * Passes bytes from one address to another: so pods of a test's cluster reach a server that listens on this machine alone, as
 * they would reach a Redis or a Postgres beside the cluster, and a public address gets a server of a test behind it.
 */
import { connect, createServer, type Server, type Socket } from "node:net"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"

export interface Address {
  readonly host: string
  readonly port: number
}

export interface Relay {
  /** That it listens on: a free one, if 0 was asked for. */
  readonly port: number
  /** Cuts every connection that passes now; new ones pass on. */
  readonly cut: Effect.Effect<void>
}

/** Open until the scope closes. */
export const relay = (listen: Address, target: Address) =>
  Effect.acquireRelease(
    Effect.callback<Relay & { readonly close: () => void }>((resume) => {
      const sockets = new Set<Socket>()
      const watch = (socket: Socket, other: Socket) => {
        sockets.add(socket)
        socket.on("error", () => other.destroy())
        socket.on("close", () => {
          sockets.delete(socket)
          other.destroy()
        })
      }
      const cut = () => {
        for (const socket of sockets) socket.destroy()
      }
      const server: Server = createServer((incoming) => {
        const outgoing = connect(target)
        watch(incoming, outgoing)
        watch(outgoing, incoming)
        incoming.pipe(outgoing)
        outgoing.pipe(incoming)
      })
      server.on("error", (error) => resume(Effect.die(error)))
      server.listen(listen, () =>
        resume(
          Effect.succeed({
            port: (server.address() as AddressInfo).port,
            cut: Effect.sync(cut),
            close: () => {
              server.close()
              cut()
            },
          }),
        ),
      )
    }),
    ({ close }) => Effect.sync(close),
  )

/** To a port of this machine's own, from an address that pods reach. */
export const hostRelay = (host: string, port: number) => relay({ host, port: 0 }, { host: "127.0.0.1", port })
