/** The program itself, as a process: what it prints, how it ends, and that it refuses to start where it must not. */
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { freePorts } from "@berth/domain/testing/FreePorts"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

const program = join(import.meta.dirname, "../../src/bin/token-proxy.ts")

const freePort = Effect.map(
  Effect.promise(() => freePorts(1)),
  ([port = 0]) => port,
)

interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<number | null>
}

const run = (env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync((): Running => {
      const { PATH = "" } = process.env
      const child = spawn(process.execPath, [program], { env: { PATH, ...env }, stdio: ["ignore", "pipe", "pipe"] })
      let output = ""
      child.stdout?.on("data", (data: Buffer) => (output += data.toString()))
      child.stderr?.on("data", (data: Buffer) => (output += data.toString()))
      return { child, output: () => output, ended: new Promise((done) => child.on("close", done)) }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL")),
  )

const waitFor = (condition: () => boolean) =>
  Effect.gen(function* () {
    while (!condition()) yield* Effect.sleep(20)
  }).pipe(Effect.timeout("8 seconds"))

describe("the token-proxy by itself", () => {
  it.live("prints a customer to try, serves them, and lets an open stream end when it is told to stop", () =>
    Effect.gen(function* () {
      const [port, ops] = [yield* freePort, yield* freePort]
      const { child, output, ended } = yield* run({ PROXY_PORT: String(port), PROXY_OPS_PORT: String(ops) })
      yield* waitFor(() => output().includes("curl"))
      const token = /bth_\w+/.exec(output())?.[0] ?? ""
      const ready = yield* Effect.promise(() => fetch(`http://127.0.0.1:${ops}/readyz`))
      assert.strictEqual(ready.status, 200)
      const response = yield* Effect.promise(() =>
        fetch(`http://127.0.0.1:${port}/v1/chat/completions`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
          body: JSON.stringify({
            model: "kimi-k2.6",
            stream: true,
            messages: [{ role: "user", content: "Write Python for me" }],
          }),
        }),
      )
      assert.strictEqual(response.status, 200)
      child.kill("SIGTERM")
      const text = yield* Effect.promise(() => response.text())
      assert.isTrue(text.endsWith("data: [DONE]\n\n"))
      yield* Effect.promise(() => ended)
      assert.notInclude(output(), "Error")
    }),
  )

  it.live("says in one line that its port is busy, and ends with 1", () =>
    Effect.gen(function* () {
      const busy = yield* Effect.acquireRelease(
        Effect.callback<number>((resume) => {
          const server = createServer().listen(0, "127.0.0.1", () =>
            resume(Effect.succeed((server.address() as AddressInfo).port)),
          )
          server.unref()
        }),
        () => Effect.void,
      )
      const { output, ended } = yield* run({ PROXY_PORT: String(busy), PROXY_OPS_PORT: String(yield* freePort) })
      assert.strictEqual(yield* Effect.promise(() => ended), 1)
      assert.match(output(), new RegExp(`^Port ${busy} is busy: .*set PROXY_PORT to another\\.\\n$`))
    }),
  )

  it.live("refuses production while a port is embedded, and names the variables", () =>
    Effect.gen(function* () {
      const { output, ended } = yield* run({ BERTH_ENV: "production", REDIS_URL: "redis://127.0.0.1:1" })
      assert.strictEqual(yield* Effect.promise(() => ended), 1)
      assert.strictEqual(
        output(),
        "BERTH_ENV=production refuses embedded ports: set DATABASE_URL (postgres), KIMI_API_KEY (kimi), PUBLIC_URL (address).\n",
      )
    }),
  )
})
