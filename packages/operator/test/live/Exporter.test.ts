/** The exporter on real files: what comes out is decrypted and unpacked again, by other means than it was packed. */
import { execFileSync } from "node:child_process"
import { createCipheriv, createHash } from "node:crypto"
import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { pathToFileURL } from "node:url"
import { gunzipSync } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import * as Age from "age-encryption"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { unpackTar } from "modern-tar"
import { exportVolume } from "../../src/live/Exporter.ts"

const identity = await Age.generateIdentity()
const recipient = await Age.identityToRecipient(identity)

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-export-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
)

const write = (file: string, text: string | Uint8Array, mode = 0o600) => {
  mkdirSync(join(file, ".."), { recursive: true })
  writeFileSync(file, text)
  chmodSync(file, mode)
}

/** A volume as OpenClaw and what it runs would leave it. */
const volume = Effect.gen(function* () {
  const root = yield* folder
  write(join(root, "state/workspace/MEMORY.md"), "the cat is called Tom")
  write(join(root, "state/workspace", "n".repeat(120), "ünïcode.txt"), "ü", 0o755)
  write(join(root, "state/tmp/gateway.lock"), "1")
  write(join(root, "compile-cache/v8"), "code")
  write(join(root, "notes.md"), "")
  symlinkSync("../notes.md", join(root, "state/link"))
  return root
})

const nobody = 65_534

/** Root may read anything: until the scope ends the folders are nobody's, and so is this process. */
const asNobody = Effect.fn(function* (folders: ReadonlyArray<string>) {
  if (process.getuid?.() !== 0) return
  const mine = folders.flatMap((root) => [
    root,
    ...readdirSync(root, { recursive: true }).map((path) => join(root, `${path}`)),
  ])
  for (const path of mine) lchownSync(path, nobody, nobody)
  yield* Effect.acquireRelease(
    Effect.sync(() => process.seteuid?.(nobody)),
    () => Effect.sync(() => process.seteuid?.(0)),
  )
})

const taskOf = (root: string, out: string) => ({
  source: { volume: root, config: undefined, root: "berth-ada-7", createdAt: new Date(0) },
  recipient,
  destination: Redacted.make({ parts: [pathToFileURL(out).href] as const }),
})

/** The archive's entries by name, opened with the key that api holds. */
const unpack = (bytes: Uint8Array) =>
  Effect.promise(async () => {
    const decrypter = new Age.Decrypter()
    decrypter.addIdentity(identity)
    const entries = await unpackTar(gunzipSync(await decrypter.decrypt(bytes)))
    return new Map(
      entries.map((entry) => [entry.header.name.replace(/^berth-ada-7\/(?:payload\/posix\/)?/, ""), entry]),
    )
  })

const textOf = (entries: Effect.Success<ReturnType<typeof unpack>>, name: string) =>
  Buffer.from(entries.get(name)?.data ?? "nothing there").toString()

describe("the exporter", () => {
  it.live("packs a volume in OpenClaw's layout, and tells size and digest of what it wrote", () =>
    Effect.gen(function* () {
      const root = yield* volume
      const out = join(yield* folder, "ada", "7.age")
      const config = join(yield* folder, "openclaw.json")
      write(config, "{}")
      const task = taskOf(root, out)
      const written = yield* exportVolume({ ...task, source: { ...task.source, config } })
      const bytes = readFileSync(out)
      assert.deepStrictEqual(written, {
        size: bytes.length,
        sha256: createHash("sha256").update(bytes).digest("hex"),
      })
      const entries = yield* unpack(bytes)
      assert.deepStrictEqual(
        [...entries.keys()],
        [
          "data/notes.md",
          "data/state/",
          "data/state/link",
          "data/state/workspace/",
          "data/state/workspace/MEMORY.md",
          `data/state/workspace/${"n".repeat(120)}/`,
          `data/state/workspace/${"n".repeat(120)}/ünïcode.txt`,
          "config/openclaw.json",
          "manifest.json",
        ],
      )
      assert.strictEqual(textOf(entries, "data/state/workspace/MEMORY.md"), "the cat is called Tom")
      assert.strictEqual(entries.get("data/state/link")?.header.linkname, "../notes.md")
      assert.strictEqual(entries.get(`data/state/workspace/${"n".repeat(120)}/ünïcode.txt`)?.header.mode, 0o755)
      assert.include(textOf(entries, "manifest.json"), '"schemaVersion": 1')
    }).pipe(Effect.scoped),
  )

  it.live("run again writes the same export in place of the first", () =>
    Effect.gen(function* () {
      const root = yield* volume
      const out = join(yield* folder, "7.age")
      const first = yield* exportVolume(taskOf(root, out))
      const second = yield* exportVolume(taskOf(root, out))
      assert.strictEqual(second.size, first.size)
      assert.strictEqual(statSync(out).size, second.size)
      assert.strictEqual((yield* unpack(readFileSync(out))).size, 8)
    }).pipe(Effect.scoped),
  )

  it.live("packs what its owner may not read, at the first try, and an empty volume", () =>
    Effect.gen(function* () {
      const root = yield* volume
      const out = join(yield* folder, "7.age")
      // Modes that pack worse than the ones by which they are made readable.
      for (let place = 0; place < 64; place++) write(join(root, "state/workspace", `${place}`), `${place}`, place)
      chmodSync(join(root, "state/workspace/MEMORY.md"), 0o000)
      chmodSync(join(root, "state/workspace"), 0o000)
      yield* asNobody([root, join(out, "..")])
      yield* exportVolume(taskOf(root, out))
      const entries = yield* unpack(readFileSync(out))
      assert.strictEqual(textOf(entries, "data/state/workspace/MEMORY.md"), "the cat is called Tom")
      assert.strictEqual(entries.get("data/state/workspace/7")?.header.mode, 7)
      yield* exportVolume(taskOf(yield* folder, out))
      assert.deepStrictEqual([...(yield* unpack(readFileSync(out))).keys()], ["manifest.json"])
    }).pipe(Effect.scoped),
  )

  it.live("takes what a killed gateway left in a database's log into the database", () =>
    Effect.gen(function* () {
      const root = yield* volume
      const file = join(root, "state/state/openclaw.sqlite")
      mkdirSync(join(file, ".."), { recursive: true })
      const database = new DatabaseSync(join(yield* folder, "live.sqlite"))
      database.exec("PRAGMA journal_mode = WAL; CREATE TABLE memory (what TEXT); INSERT INTO memory VALUES ('Tom')")
      const live = database.location() ?? ""
      for (const suffix of ["", "-wal"]) writeFileSync(file + suffix, readFileSync(live + suffix))
      database.close()
      write(join(root, "state/broken.sqlite"), "no database")
      write(join(root, "state/broken.sqlite-wal"), "no log")
      const out = join(yield* folder, "7.age")
      yield* exportVolume(taskOf(root, out))
      const entries = yield* unpack(readFileSync(out))
      assert.isFalse(entries.has("data/state/state/openclaw.sqlite-wal"))
      assert.isTrue(entries.has("data/state/broken.sqlite-wal"), "what can't be opened is kept as it is")
      const restored = join(yield* folder, "restored.sqlite")
      writeFileSync(restored, entries.get("data/state/state/openclaw.sqlite")?.data ?? "")
      const copy = new DatabaseSync(restored)
      assert.deepEqual({ ...copy.prepare("SELECT what FROM memory").get() }, { what: "Tom" })
      copy.close()
    }).pipe(Effect.scoped),
  )

  it.live("is not held up by what only looks like a database", () =>
    Effect.gen(function* () {
      const root = yield* volume
      const out = join(yield* folder, "7.age")
      write(join(root, "state/pipe.sqlite-wal"), "log of nothing")
      execFileSync("mkfifo", [join(root, "state/pipe.sqlite")])
      write(join(root, "state/lonely.sqlite-wal"), "log of nothing")
      symlinkSync("/proc/self/fd/0", join(root, "state/away.sqlite"))
      write(join(root, "state/away.sqlite-wal"), "log of nothing")
      yield* exportVolume(taskOf(root, out)).pipe(Effect.timeout("10 seconds"))
      const entries = yield* unpack(readFileSync(out))
      for (const name of ["pipe", "lonely", "away"])
        assert.strictEqual(textOf(entries, `data/state/${name}.sqlite-wal`), "log of nothing")
    }).pipe(Effect.scoped),
  )

  it.live("fails, and leaves nothing behind that looks whole, when it can't write or read", () =>
    Effect.gen(function* () {
      const root = yield* volume
      const place = yield* folder
      write(join(place, "ada"), "a file where the folder should be")
      const out = join(place, "ada", "7.age")
      assert.strictEqual((yield* Effect.flip(exportVolume(taskOf(root, out))))._tag, "ExportFailed")
      assert.isFalse(existsSync(out))
      const gone = taskOf(join(root, "no-such-volume"), join(place, "7.age"))
      assert.strictEqual((yield* Effect.flip(exportVolume(gone)))._tag, "ExportFailed")
      assert.isFalse(existsSync(join(place, "7.age")))
    }).pipe(Effect.scoped),
  )
})

/** A store that answers each PUT as told, after reading all of it or nothing. */
const store = (answer: (request: IncomingMessage, body: number) => number, reads = true) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly close: () => void }>((resume) => {
      const server = createServer((request, response) => {
        let body = 0
        if (reads) request.on("data", (chunk: Buffer) => (body += chunk.length))
        const done = () => {
          response.statusCode = answer(request, body)
          response.end()
        }
        if (reads) request.on("end", done)
        else done()
      })
      server.listen(0, "127.0.0.1", () =>
        resume(
          Effect.succeed({
            url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/exports/ada/7?signature=secret`,
            close: () => {
              server.closeAllConnections()
              server.close()
            },
          }),
        ),
      )
    }),
    ({ close }) => Effect.sync(close),
  )

describe("an upload to a store", () => {
  const large = Effect.gen(function* () {
    const root = yield* folder
    // Noise, which can't be packed smaller: more than any socket takes at once.
    const noise = createCipheriv("aes-128-ctr", Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(2 ** 24))
    write(join(root, "state/noise"), noise)
    return root
  })

  it.live("is announced with its length, and counts once the store has it", () =>
    Effect.gen(function* () {
      const seen: Array<readonly [string | undefined, number]> = []
      const { url } = yield* store((request, body) => {
        seen.push([request.headers["content-length"], body])
        return 200
      })
      const { size } = yield* exportVolume({
        ...taskOf(yield* large, "/"),
        destination: Redacted.make({ parts: [url] }),
      })
      assert.deepStrictEqual(seen, [[String(size), size]])
    }).pipe(Effect.scoped),
  )

  it.live("fails with what the store says, and its address is in no message", () =>
    Effect.gen(function* () {
      for (const reads of [true, false]) {
        const { url } = yield* store(() => 403, reads)
        const { message } = yield* Effect.flip(
          exportVolume({ ...taskOf(yield* large, "/"), destination: Redacted.make({ parts: [url] }) }),
        )
        assert.notInclude(message, "signature")
        if (reads) assert.include(message, "403")
      }
      const { url, close } = yield* store(() => 200)
      close()
      const { message } = yield* Effect.flip(
        exportVolume({ ...taskOf(yield* large, "/"), destination: Redacted.make({ parts: [url] }) }),
      )
      assert.notInclude(message, "signature")
    }).pipe(Effect.scoped),
  )
})
