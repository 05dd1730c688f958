/**
 * Stands in for OpenClaw where a test is about the walls around it: the pod is the operator's own to the last field, starts
 * in no time and takes no memory. It answers the probes, and before anything else it tries to get out.
 */
import { spawn } from "node:child_process"
import { createServer } from "node:http"

const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env
const addresses = [`${host}:${port}`, "203.0.113.10:80"]
const asked = { addresses, forMillis: 3_000, into: "/tmp/early.json" }
spawn("/usr/bin/probe", ["early", JSON.stringify(asked)], { stdio: "inherit" })

const server = createServer((request, response) => {
  const known = ["/startupz", "/healthz", "/readyz"].includes(request.url ?? "")
  response.writeHead(known ? 200 : 404, { "content-type": "application/json" })
  response.end(JSON.stringify({ standIn: true }))
})
server.listen(18_789, "0.0.0.0")
process.on("SIGTERM", () => process.exit(0))
