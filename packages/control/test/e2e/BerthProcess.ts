/** `npm start`'s program as a process of its own, that can be killed and started again on the same ports and data. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "@berth/domain/live/EmbeddedPostgres"
import { freePorts } from "@berth/domain/testing/FreePorts"
import * as Effect from "effect/Effect"
import type { HttpClient } from "effect/http"
import * as Schema from "effect/Schema"
import * as Instance from "../../src/demo/Instance.ts"

import { World } from "../../src/embedded/StripeDouble/World.ts"

const program = join(import.meta.dirname, "../../src/bin/berth.ts")

export interface BerthProcess {
  readonly origin: string
  readonly proxyOrigin: string
  readonly internalOrigin: string
  readonly serviceToken: string
  /** What its embedded Stripe holds, as it is kept on disk. */
  readonly stripe: Effect.Effect<World>
  /** What it printed since it was first started. */
  readonly output: () => string
  readonly start: Effect.Effect<void, never, HttpClient.HttpClient>
  /** kill -9. */
  readonly kill: Effect.Effect<void>
  /** SIGTERM, then the exit code. */
  readonly stop: Effect.Effect<number | null>
}

const ended = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null

/** A Berth that is ready; gone, with its data, when the scope closes. */
export const make = Effect.fn("BerthProcess.make")(function* (variables: Readonly<Record<string, string>>) {
  const [web, proxy, internal, ops] = yield* Effect.promise(() => freePorts(4))
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-e2e-"))),
    (path) =>
      Effect.ignore(EmbeddedPostgres.erase({ folder: join(path, "berth/postgres") })).pipe(
        Effect.andThen(Effect.sync(() => rmSync(path, { recursive: true, force: true }))),
      ),
  )
  const serviceToken = "e2e-service-token"
  const origin = `http://127.0.0.1:${web}`
  const env = {
    ...process.env,
    BERTH_DIR: join(folder, "berth"),
    PORT: String(web),
    PROXY_PORT: String(proxy),
    INTERNAL_PORT: String(internal),
    OPS_PORT: String(ops),
    SERVICE_TOKEN: serviceToken,
    ...variables,
  }
  let output = ""
  let child: ChildProcess | undefined

  const start = Effect.gen(function* () {
    const started = spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "pipe"] })
    for (const stream of [started.stdout, started.stderr])
      stream.on("data", (chunk: Buffer) => {
        output += chunk.toString()
      })
    child = started
    yield* Instance.awaitReady(origin, "60 seconds").pipe(
      Effect.mapError((error) => new Error(`${error.message}; it printed:\n${output}`)),
      Effect.orDie,
    )
  })
  const end = (signal: NodeJS.Signals) =>
    Effect.promise(async () => {
      if (child === undefined || ended(child)) return child?.exitCode ?? null
      child.kill(signal)
      await once(child, "exit")
      return child.exitCode
    })

  yield* Effect.acquireRelease(start, () => end("SIGTERM"))
  return {
    origin,
    proxyOrigin: `http://127.0.0.1:${proxy}`,
    internalOrigin: `http://127.0.0.1:${internal}`,
    serviceToken,
    stripe: Effect.sync(() => readFileSync(join(folder, "berth/embedded/stripe/stripe"), "utf8")).pipe(
      Effect.flatMap(Schema.decodeUnknownEffect(Schema.fromJsonString(World))),
      Effect.orDie,
    ),
    output: () => output,
    start,
    kill: Effect.asVoid(end("SIGKILL")),
    stop: end("SIGTERM"),
  }
})
