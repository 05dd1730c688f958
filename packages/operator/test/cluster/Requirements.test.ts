/** What a machine lacks is said in one line before anything is started, and ends the command. */
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, beforeEach, it } from "vitest"
import { missing } from "./Requirements.ts"

const outer = process.env.PATH
let place: string

/** The path leads to these programs alone. */
const have = (...programs: ReadonlyArray<string>) => {
  for (const program of programs) {
    writeFileSync(join(place, program), "#!/bin/sh\n")
    chmodSync(join(place, program), 0o755)
  }
  process.env.PATH = place
}

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "berth-path-"))
})
afterEach(() => {
  process.env.PATH = outer
  rmSync(place, { recursive: true, force: true })
})

it("nothing is said of a machine that has it all", () => {
  have("go", "openssl", "flock")
  assert.isUndefined(missing("k8s"))
})

it("what is missing is named by where it comes from, once", () => {
  have("go", "flock", "containerd")
  assert.strictEqual(missing("k8s"), "The k8s tier needs openssl.")
  const root = process.getuid
  process.getuid = () => 0
  try {
    const line = missing("node") ?? ""
    assert.match(line, /^The node tier needs openssl, containerd, runc, .*iproute2, util-linux\.$/)
    assert.strictEqual(line.split("util-linux").length, 2)
    process.getuid = () => 1_000
    assert.strictEqual(missing("node"), "The node tier needs root: it makes network namespaces and runs containers.")
  } finally {
    if (root !== undefined) process.getuid = root
  }
})

it("the command ends with that line alone, and not well", () => {
  have("flock")
  const program = join(import.meta.dirname, "bin/test-k8s.ts")
  const { status, stderr, stdout } = spawnSync(process.execPath, [program, "--tier", "k8s"], {
    encoding: "utf8",
    env: { PATH: place, TMPDIR: place },
  })
  assert.deepStrictEqual(
    [status, stdout, stderr],
    [1, "", "The k8s tier needs Go 1.26 (https://go.dev/dl), openssl.\n"],
  )
})
