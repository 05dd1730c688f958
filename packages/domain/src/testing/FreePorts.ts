/**
 * Ports for servers of tests. They lie below the range from which the system takes those of outgoing connections, so that
 * none of those takes the port of a server that is down for a moment.
 */
import { createServer } from "node:net"

const lowest = 20_000
const highest = 32_000

const isFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const server = createServer()
    server.on("error", () => done(false))
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)))
  })

/** So many different ports that are free now. Somebody else may be quicker to use one: be ready to ask again. */
export const freePorts = async (count: number): Promise<ReadonlyArray<number>> => {
  const found = new Set<number>()
  while (found.size < count) {
    const port = lowest + Math.floor(Math.random() * (highest - lowest))
    if (!found.has(port) && (await isFree(port))) found.add(port)
  }
  return [...found]
}
