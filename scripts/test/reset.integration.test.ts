import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { make } from "../../packages/domain/src/live/EmbeddedPostgres.ts"

const script = join(import.meta.dirname, "..", "reset.ts")
const reset = (...args: ReadonlyArray<string>) => spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })

/** A `.berth` of its own. */
const berth = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = join(mkdtempSync(join(tmpdir(), "berth-reset-")), ".berth")
    mkdirSync(folder)
    return folder
  }),
  (folder) => Effect.sync(() => rmSync(join(folder, ".."), { recursive: true, force: true })),
)

describe("reset", () => {
  it.live("refuses with one line while a Berth runs, and removes everything once it has stopped", () =>
    Effect.gen(function* () {
      const folder = yield* berth
      const home = yield* Effect.scoped(
        Effect.gen(function* () {
          const postgres = yield* make({ folder: join(folder, "postgres"), fsync: false })
          const refused = reset(folder)
          assert.strictEqual(refused.status, 1)
          assert.strictEqual(
            refused.stdout,
            `A Berth runs in ${folder} (process ${process.pid}): stop it first\n`,
            refused.stderr,
          )
          assert.isTrue(existsSync(postgres.home))
          return postgres.home
        }),
      )
      const done = reset("--json", folder)
      assert.strictEqual(done.status, 0, done.stdout + done.stderr)
      assert.isTrue(JSON.parse(done.stdout).ok)
      assert.isFalse(existsSync(folder) || existsSync(home))
    }),
  )

  it.live("refuses while a pid file names a living process, not for a dead one", () =>
    Effect.gen(function* () {
      const folder = yield* berth
      mkdirSync(join(folder, "run"))
      writeFileSync(join(folder, "run", "berth.pid"), `${process.pid}\n`)
      assert.deepStrictEqual(JSON.parse(reset("--json", folder).stdout).running, [process.pid])
      writeFileSync(join(folder, "run", "berth.pid"), "999999999\n")
      assert.strictEqual(reset(folder).status, 0)
      assert.strictEqual(reset(folder).stdout, `Nothing to remove: ${folder} does not exist\n`)
    }),
  )

  it.live("deletes no folder that is not called .berth", () =>
    Effect.gen(function* () {
      const folder = join(yield* berth, "precious")
      mkdirSync(folder)
      assert.strictEqual(reset(folder).status, 1)
      assert.isTrue(existsSync(folder))
    }),
  )
})
