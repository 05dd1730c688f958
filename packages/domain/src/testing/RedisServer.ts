/**
 * A Redis server of one's own, for tests that hurt it: `kill` is a kill -9, `start` brings it back on the same port and
 * folder. It is gone when the scope closes. Without `appendonly` it forgets everything when it stops.
 */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { pause, signal } from "../live/EmbeddedPostgres/Processes.ts"
import { freePorts } from "./FreePorts.ts"
import { redisBinary } from "./RedisBinary.ts"
import { runVariable } from "./TestFolder.ts"

export class RedisFailed extends Schema.TaggedError<RedisFailed>()("RedisFailed", { message: Schema.String }) {}

export interface RedisOptions {
  /** Every write is in a file before it is answered; survives `kill`. */
  readonly appendonly?: boolean
  /** When that file is forced to the disk: before each answer (the default), or once a second. */
  readonly appendfsync?: "always" | "everysec"
  /** A free one, if not given. */
  readonly port?: number
  /** How many a client may SELECT. */
  readonly databases?: number
  /** Its users, as lines of an ACL file; without it whoever connects may do anything. */
  readonly users?: string
  /** Its folder is made in here; the folder of the test run, if not given. */
  readonly parent?: string
}

export interface RedisServer {
  /** `redis://127.0.0.1:<port>`, the same after every start. */
  readonly url: string
  readonly port: number
  /** Its data; the append-only files stand in `appendonlydir` of Redis 7, or right here. */
  readonly folder: string
  /** kill -9, and the server is gone when this returns. */
  readonly kill: Effect.Effect<void>
  /** An orderly shutdown. */
  readonly stop: Effect.Effect<void>
  /** Starts it again after `kill` or `stop`; returns when it answers. */
  readonly start: Effect.Effect<void, RedisFailed>
}

/** Whether something on the port answers PING as Redis does, or asks who is there; not while it still loads its file. */
const answers = (port: number): Effect.Effect<boolean> =>
  Effect.callback((resume) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"))
    const done = (ok: boolean) => {
      socket.destroy()
      resume(Effect.succeed(ok))
    }
    socket.on("data", (data) => done(/^(?:\+PONG|-NOAUTH)/.test(data.toString())))
    socket.on("error", () => done(false))
    socket.setTimeout(1_000, () => done(false))
  })

export const startRedis = Effect.fn("startRedis")(function* (options: RedisOptions = {}) {
  const binary = yield* redisBinary
  const [free = 0] = options.port === undefined ? yield* Effect.promise(() => freePorts(1)) : []
  const port = options.port ?? free
  const url = `redis://127.0.0.1:${port}`
  const parent = options.parent ?? process.env[runVariable] ?? tmpdir()
  /** The process, until Node has said that all of it is gone: its first thread may end before the last one lets go of the port. */
  let running: { readonly pid: number } | undefined
  let output = ""

  const end = (name: NodeJS.Signals) =>
    Effect.gen(function* () {
      if (running !== undefined) signal(running.pid, name)
      while (running !== undefined) yield* pause(5)
    })

  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(parent, { recursive: true })
      return mkdtempSync(join(parent, "redis-"))
    }),
    (made) =>
      Effect.andThen(
        end("SIGKILL"),
        Effect.sync(() => rmSync(made, { recursive: true, force: true })),
      ),
  )

  const usersFile = join(folder, "users.acl")
  if (options.users !== undefined) writeFileSync(usersFile, options.users)
  const settings = {
    ...(options.users === undefined ? {} : { aclfile: usersFile }),
    port: String(port),
    bind: "127.0.0.1",
    dir: folder,
    databases: String(options.databases ?? 16),
    save: "",
    appendonly: options.appendonly === true ? "yes" : "no",
    appendfsync: options.appendfsync ?? "always",
    "maxmemory-policy": "noeviction",
    daemonize: "no",
  }

  const start = Effect.gen(function* () {
    if (running !== undefined) return
    output = ""
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], cwd: folder })
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000)
    }
    child.stdout.on("data", keep)
    child.stderr.on("data", keep)
    child.on("error", (error) => {
      output += error.message
      running = undefined
    })
    child.on("exit", () => (running = undefined))
    child.unref()
    if (child.pid !== undefined) running = { pid: child.pid }
    writeFileSync(join(folder, "redis.pid"), String(child.pid))
    const deadline = performance.now() + 20_000
    while (performance.now() < deadline && running !== undefined) {
      if (yield* answers(port)) return
      yield* pause(10)
    }
    yield* end("SIGKILL")
    return yield* new RedisFailed({
      message: `redis-server does not start on port ${port}: ${output.trim().split("\n").at(-1)}`,
    })
  }).pipe(Effect.uninterruptible)

  yield* start
  return { url, port, folder, kill: end("SIGKILL"), stop: end("SIGTERM"), start } satisfies RedisServer
})
