import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { cpuMillisIn } from "../e2e-cluster/Processes.ts"
import { compiledIn, startLines } from "../e2e-cluster/Starts.ts"
import { lines, moments, partLines, parts, type Seen } from "../e2e-cluster/Timeline.ts"

/** One moment every 100 ms, the first of them 100 ms after the job. */
const all: Seen = Object.fromEntries(moments.map((moment, index) => [moment, 5_100 + 100 * index]))

describe("the way to the first reply", () => {
  it("is told moment by moment, up to the first reply", () => {
    const told = lines(all, 5_000)
    assert.strictEqual(told.length, moments.length)
    assert.strictEqual(told[0], "       100 ms  (+  100)  Agent written")
    assert.strictEqual(told.at(-1), `      ${100 * moments.length} ms  (+  100)  first reply`)
  })

  it("falls into parts that leave nothing out", () => {
    const waited = parts(all, 5_000)
    assert.deepStrictEqual(
      waited.map(({ name }) => name),
      [
        "job → apply",
        "apply → scheduled",
        "scheduled → started",
        "started → Ready",
        "Ready → first words",
        "first words → first reply",
      ],
    )
    const total = waited.reduce((sum, { millis }) => sum + millis, 0)
    assert.strictEqual(total, (all["first reply"] ?? 0) - 5_000)
  })

  it("claims no time for a part whose beginning or end was not seen", () => {
    const { scheduled: _, ...rest } = all
    assert.deepStrictEqual(
      parts(rest, 5_000).map(({ name }) => name),
      ["job → apply", "started → Ready", "Ready → first words", "first words → first reply"],
    )
  })

  it("says beside a part what makes it short, and nothing where nothing was done", () => {
    assert.deepStrictEqual(
      partLines([
        { name: "a → b", millis: 7, short: "it is not done at all" },
        { name: "b → first", millis: 1_234, short: "" },
      ]),
      ["         7 ms  a → b      it is not done at all", "      1234 ms  b → first"],
    )
  })
})

describe("a start", () => {
  it("is called cold when nothing was compiled before it, and warm otherwise", () => {
    assert.deepStrictEqual(
      startLines([
        { act: "its first start", compiled: { files: 0, bytes: 0 }, millis: 12_345, cpuMillis: 17_060 },
        { act: "its pod deleted", compiled: { files: 3, bytes: 4_560_000 }, millis: 6_789, cpuMillis: 9_000 },
      ]),
      [
        "     12345 ms, 17.1 CPU-seconds  its first start (cold: nothing was compiled)",
        "      6789 ms, 9.0 CPU-seconds  its pod deleted (warm: 3 files, 4.6 MB, were compiled)",
      ],
    )
  })

  it("takes of the processors what it and its ended children took, whatever it calls itself", () => {
    const stat = "42 (open) claw (x) S 1 42 42 0 -1 4194560 9 8 7 6 150 25 10 5 20 0 11 0 99"
    assert.strictEqual(cpuMillisIn(stat), 1_900)
  })

  it("finds compiled what Node put into folders of the compile cache, and nothing where there is no cache yet", () => {
    const volume = mkdtempSync(join(tmpdir(), "berth-compiled-"))
    assert.deepStrictEqual(compiledIn(undefined), { files: 0, bytes: 0 })
    assert.deepStrictEqual(compiledIn(volume), { files: 0, bytes: 0 })
    mkdirSync(join(volume, "compile-cache", "v24-x64"), { recursive: true })
    writeFileSync(join(volume, "compile-cache", "v24-x64", "one"), "12345")
    writeFileSync(join(volume, "other"), "123")
    assert.deepStrictEqual(compiledIn(volume), { files: 1, bytes: 5 })
    rmSync(volume, { recursive: true })
  })
})
