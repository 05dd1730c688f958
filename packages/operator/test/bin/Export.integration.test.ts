/** The program of an export Job as a process of its own, against a real S3 server: what it takes, and what it leaves behind. */
import { spawn } from "node:child_process"
import { createHash, randomBytes } from "node:crypto"
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable } from "node:stream"
import { ExportStore, keyOf } from "@berth/domain/Exports"
import { CustomerId } from "@berth/domain/Ids"
import * as ExportsS3 from "@berth/domain/live/ExportsS3"
import { s3Binary } from "@berth/domain/testing/S3Binary"
import { type S3Server, startS3 } from "@berth/domain/testing/S3Server"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Age from "age-encryption"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { createTarDecoder } from "modern-tar"
import { Outcome } from "../../src/export/Outcome.ts"

const program = join(import.meta.dirname, "../../src/bin/export.ts")
const identity = await Age.generateIdentity()
const recipient = await Age.identityToRecipient(identity)
const megabyte = 2 ** 20

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-export-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
)

/** A volume with one file of noise, which does not pack. */
const volumeOf = Effect.fn(function* (megabytes: number) {
  const root = yield* folder
  mkdirSync(join(root, "state"))
  const file = openSync(join(root, "state/noise"), "w")
  const digest = createHash("sha256")
  for (let written = 0; written < megabytes; written++) {
    const noise = randomBytes(megabyte)
    digest.update(noise)
    writeSync(file, noise)
  }
  return { root, digest: digest.digest("hex") }
})

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly outcome: Outcome
  /** The most memory that it ever held, in MB. */
  readonly peak: number
}

const run = Effect.fn(function* (destination: string, volume: string): Effect.fn.Return<Ended, never, Scope.Scope> {
  const outcome = join(yield* folder, "termination-log")
  const { code, output, peak } = yield* Effect.promise(
    () =>
      new Promise<Omit<Ended, "outcome">>((resolve, reject) => {
        const env = {
          PATH: process.env["PATH"],
          EXPORT_DESTINATION: destination,
          EXPORT_AGE_RECIPIENT: recipient,
          EXPORT_NAME: "berth-ada-7",
          EXPORT_VOLUME: volume,
          EXPORT_CONFIG: join(volume, "none"),
          EXPORT_OUTCOME: outcome,
        }
        const child = spawn(process.execPath, [program], { env, stdio: ["ignore", "pipe", "pipe"] })
        let [output, peak] = ["", 0]
        for (const stream of [child.stdout, child.stderr])
          stream.on("data", (chunk: Buffer) => {
            output += chunk.toString()
          })
        const look = setInterval(() => {
          try {
            const kilobytes = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1]
            peak = Math.max(peak, Number(kilobytes ?? 0) / 1024)
          } catch {
            // It has ended.
          }
        }, 20)
        child.on("error", reject)
        child.on("close", (code) => {
          clearInterval(look)
          resolve({ code, output, peak })
        })
      }),
  )
  const text = readFileSync(outcome, "utf8")
  return {
    code,
    output,
    peak,
    outcome: yield* Effect.orDie(Schema.decodeUnknownEffect(Schema.fromJsonString(Outcome))(text)),
  }
})

const key = keyOf(CustomerId.make("ada"), 7)

// The first run of a checkout builds the server.
beforeAll(() => Effect.runPromise(Effect.asVoid(s3Binary)), 900_000)

const storeOf = (s3: S3Server) =>
  Effect.provide(
    ExportStore,
    ExportsS3.layer.pipe(
      Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ EXPORT_URL: Redacted.value(s3.url) }))),
    ),
  )
const destinationAt = (s3: S3Server) =>
  Effect.map(
    Effect.flatMap(storeOf(s3), (store) => store.destination(key)),
    (one) => Redacted.value(one),
  )

describe("the program of an export Job", () => {
  it.live(
    "puts a volume larger than its memory to a real S3 server, whole, and tells size and digest",
    () =>
      Effect.gen(function* () {
        const s3 = yield* startS3()
        const { root, digest } = yield* volumeOf(320)
        const { code, output, outcome, peak } = yield* run(JSON.stringify(yield* destinationAt(s3)), root)
        assert.strictEqual(code, 0, output)
        if (outcome._tag !== "Written") return assert.fail(outcome.message)
        assert.isAbove(outcome.size, 320 * megabyte)
        assert.isAbove(peak, 20, "its memory was seen")
        assert.isBelow(peak, 320, "of the 512 MB that the Job gives it")
        assert.notInclude(output, "X-Amz-Signature", "what may be put where stands in no log")

        const stored = createHash("sha256")
        const noise = createHash("sha256")
        const decrypter = new Age.Decrypter()
        decrypter.addIdentity(identity)
        const bytes = createReadStream(join(s3.folder, key)).on("data", (chunk) => stored.update(chunk))
        yield* Effect.promise(async () => {
          const opened = await decrypter.decrypt(Readable.toWeb(bytes))
          const entries = opened.pipeThrough(new DecompressionStream("gzip")).pipeThrough(createTarDecoder())
          for await (const { header, body } of entries)
            for await (const chunk of body) if (header.name.endsWith("/state/noise")) noise.update(chunk)
        })
        assert.strictEqual(stored.digest("hex"), outcome.sha256)
        assert.strictEqual(noise.digest("hex"), digest)
      }).pipe(Effect.scoped),
    240_000,
  )

  it.live("run again, writes the same object anew, and the store holds what the second run told", () =>
    Effect.gen(function* () {
      const s3 = yield* startS3()
      const { root } = yield* volumeOf(1)
      for (const _ of ["once", "again"]) {
        const { outcome } = yield* run(JSON.stringify(yield* destinationAt(s3)), root)
        if (outcome._tag !== "Written") return assert.fail(outcome.message)
        const { sha256, size } = outcome
        assert.isTrue(yield* (yield* storeOf(s3)).holds({ key, sha256, size }))
        assert.deepStrictEqual(readdirSync(join(s3.folder, "ada")), ["7.tar.gz.age"])
      }
    }).pipe(Effect.scoped),
  )

  it.live("says why where the store refuses it, names no address, and is not taken for done", () =>
    Effect.gen(function* () {
      const s3 = yield* startS3()
      const { root } = yield* volumeOf(1)
      const another = JSON.stringify(yield* destinationAt(s3)).replaceAll("/ada/7.", "/bob/7.")
      const { code, outcome, output } = yield* run(another, root)
      assert.strictEqual(code, 1)
      if (outcome._tag !== "Failed") return assert.fail("it was taken")
      assert.match(outcome.message, /403/)
      assert.notInclude(output + outcome.message, "X-Amz-Signature")
    }).pipe(Effect.scoped),
  )
})
