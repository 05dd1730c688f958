/** A run of the tests that fails or is interrupted says so by its exit, and leaves nothing running. */
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"

/**
 * Set in a run that was started from here: the file by which its one test says that it is at work. Once that was seen, and
 * the file is `…-seen`, it ends as it is told to.
 */
const { BERTH_RUN_ENDS: ends, BERTH_RUN_MARK: mark = "" } = process.env

const seenOf = (file: string) => `${file}-seen`

/** Command lines of what runs from a folder. */
const runningIn = (folder: string): ReadonlyArray<string> =>
  readdirSync("/proc").flatMap((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")
      return line.includes(folder) ? [line] : []
    } catch {
      return []
    }
  })

/** Runs this file alone, on a cluster of its own; `during` is called once its test is at work. */
const run = async (how: "failed" | "interrupted", during: (signal: (name: NodeJS.Signals) => void) => void) => {
  const place = mkdtempSync(join(tmpdir(), "berth-run-"))
  const reached = join(place, "reached")
  try {
    const { HOME, PATH, XDG_CACHE_HOME } = process.env
    const cache = XDG_CACHE_HOME === undefined ? {} : { XDG_CACHE_HOME }
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, "bin/test-k8s.ts"), "--tier=k8s", "--json", import.meta.filename],
      {
        stdio: ["ignore", "pipe", "pipe"],
        env: { HOME, PATH, ...cache, TMPDIR: place, BERTH_RUN_ENDS: how, BERTH_RUN_MARK: reached },
      },
    )
    let printed = ""
    let components = 0
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => {
        printed += chunk.toString()
      })
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve))
    const atWork = setInterval(() => {
      if (!existsSync(reached)) return
      clearInterval(atWork)
      components = runningIn(place).length
      renameSync(reached, seenOf(reached))
      during((name) => child.kill(name))
    }, 50)
    const status = await ended
    clearInterval(atWork)
    assert.isTrue(existsSync(seenOf(reached)), printed)
    assert.isAbove(components, 3, "it had a cluster")
    assert.deepStrictEqual(runningIn(place), [])
    const clusters = readdirSync(place).filter((name) => name.startsWith("berth-"))
    assert.deepStrictEqual(
      clusters.flatMap((name) => readdirSync(join(place, name))),
      [],
    )
    const { seconds: _, ...outcome } = JSON.parse(printed.trim().split("\n").at(-1) ?? "")
    return { status, outcome }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

const inner = {
  "ends as it is told to": async () => {
    writeFileSync(mark, "")
    while (ends === "interrupted" || !existsSync(seenOf(mark))) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.fail("as it was told to")
  },
}

const outer = {
  failed: async () => {
    assert.deepStrictEqual(await run("failed", () => {}), {
      status: 1,
      outcome: { ok: false, passed: 0, failed: 1, leftRunning: 0 },
    })
  },
  "was interrupted": async () => {
    const { outcome, status } = await run("interrupted", (signal) => signal("SIGINT"))
    assert.strictEqual(status, 130)
    assert.deepInclude(outcome, { ok: false, leftRunning: 0 })
  },
}

describe("a run", () => {
  for (const [name, body] of Object.entries(ends === undefined ? outer : inner)) it(`that ${name}`, body)
})
