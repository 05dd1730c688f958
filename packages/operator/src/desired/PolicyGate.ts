/**
 * What the init container runs: a new pod is unrestricted for its first tens of milliseconds (for seconds, while the
 * policy controller is down), and connections opened then survive. So nothing of the agent starts before the API
 * server's address, which policy refuses, has been refused three times in a row. A silent drop counts as refused; so
 * does an API server that is down, which is the gate's known weakness.
 */
export const policyGate = `
const { connect } = require("node:net")
const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
let refused = 0
const probe = () => {
  const socket = connect({ host, port: Number(port) })
  const done = (open) => {
    clearTimeout(timer)
    socket.destroy()
    refused = open ? 0 : refused + 1
    if (refused < 3) setTimeout(probe, 50)
  }
  const timer = setTimeout(() => done(false), 1500)
  socket.once("connect", () => done(true))
  socket.once("error", () => done(false))
}
probe()
`
