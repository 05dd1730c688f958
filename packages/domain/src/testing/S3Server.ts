/**
 * An S3 server with one bucket, for tests: Versity's gateway over a folder. It checks signatures and their time as a real
 * one does. Everything is gone when the scope closes.
 */
import { spawn } from "node:child_process"
import { randomBytes } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { isAlive, pause, signal } from "../live/EmbeddedPostgres/Processes.ts"
import { freePorts } from "./FreePorts.ts"
import { s3Binary } from "./S3Binary.ts"
import { runVariable } from "./TestFolder.ts"

export class S3Failed extends Schema.TaggedError<S3Failed>()("S3Failed", { message: Schema.String }) {}

const bucket = "exports"

export interface S3Server {
  /** As EXPORT_URL says it. */
  readonly url: Redacted.Redacted<string>
  /** `http://127.0.0.1:<port>/exports`, for who comes without a signature. */
  readonly open: string
  /** The folder in which the bucket's objects stand as files. */
  readonly folder: string
}

const start = Effect.fnUntraced(function* () {
  const binary = yield* s3Binary
  const parent = process.env[runVariable] ?? tmpdir()
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => {
      mkdirSync(parent, { recursive: true })
      const made = mkdtempSync(join(parent, "s3-"))
      for (const one of [join("data", bucket), "about"]) mkdirSync(join(made, one), { recursive: true })
      return made
    }),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
  )
  const [port = 0] = yield* Effect.promise(() => freePorts(1))
  const secret = randomBytes(20).toString("base64")
  let output = ""
  const pid = yield* Effect.acquireRelease(
    Effect.sync(() => {
      // Not every file system of a test machine keeps extended attributes: what it would put there goes into a folder.
      const args = [
        "--port",
        `127.0.0.1:${port}`,
        "--quiet",
        "posix",
        "--sidecar",
        join(folder, "about"),
        join(folder, "data"),
      ]
      const env = { ...process.env, ROOT_ACCESS_KEY: "berth", ROOT_SECRET_KEY: secret }
      const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env, cwd: folder })
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk: Buffer) => {
          output = (output + chunk.toString()).slice(-4_000)
        })
      child.on("error", (error) => {
        output += error.message
      })
      child.unref()
      writeFileSync(join(folder, "versitygw.pid"), String(child.pid ?? 0))
      return child.pid ?? 0
    }),
    (one) =>
      Effect.gen(function* () {
        if (isAlive(one)) signal(one, "SIGKILL")
        while (isAlive(one)) yield* pause(5)
      }),
  )
  const open = `http://127.0.0.1:${port}/${bucket}`
  const deadline = performance.now() + 20_000
  while (isAlive(pid) && performance.now() < deadline) {
    // Refusing whoever comes without a signature is an answer as well.
    const answered = yield* Effect.promise(() =>
      fetch(open).then(
        () => true,
        () => false,
      ),
    )
    if (answered) {
      const url = Redacted.make(
        `http://berth:${encodeURIComponent(secret)}@127.0.0.1:${port}/${bucket}?region=us-east-1`,
      )
      return { url, open, folder: join(folder, "data", bucket) } satisfies S3Server as S3Server
    }
    yield* pause(20)
  }
  return yield* new S3Failed({
    message: `versitygw does not start on port ${port}: ${output.trim().split("\n").at(-1)}`,
  })
})

export const startS3 = Effect.fn("startS3")(function* () {
  // Another may have taken the port since it was found free.
  return yield* Effect.retry(start(), { times: 3, while: (error) => error._tag === "S3Failed" })
})
