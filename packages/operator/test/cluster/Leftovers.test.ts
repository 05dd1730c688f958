/** What a killed run left behind is taken down by the next one; what belongs to a living one is not touched. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { isAlive } from "@berth/domain/live/EmbeddedPostgres/Processes"
import { afterEach, assert, beforeEach, it } from "vitest"
import * as Components from "./Components.ts"
import { abandoned, base, openFolder } from "./Folder.ts"
import { sweep, takeDown } from "./TakeDown.ts"

const outer = process.env.TMPDIR
let place: string

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), "berth-leftovers-"))
  process.env.TMPDIR = place
})
afterEach(() => {
  for (const folder of [...abandoned(), ...opened]) takeDown(folder)
  if (outer === undefined) delete process.env.TMPDIR
  else process.env.TMPDIR = outer
  rmSync(place, { recursive: true, force: true })
})

const opened: Array<string> = []

/** A component that would run for an hour; its pid. */
const sleeper = (folder: string): number => {
  Components.define(folder, "sleeper", { command: "sleep", args: ["3600"] })
  Components.start(folder, "sleeper")
  const pid = Components.pidOf(folder, "sleeper")
  assert.isDefined(pid)
  return pid ?? 0
}

/** The folder of a process that has ended. */
const folderOfTheDead = () => {
  const folder = join(base(), `${spawnSync("true").pid}-1-1`)
  mkdirSync(folder, { recursive: true })
  return folder
}

it("a cluster whose process is gone is taken down, one whose process lives goes on", () => {
  const dead = folderOfTheDead()
  const mine = openFolder()
  opened.push(mine)
  const [left, running] = [sleeper(dead), sleeper(mine)]
  assert.strictEqual(sweep(), 1)
  assert.isFalse(isAlive(left))
  assert.isFalse(existsSync(dead))
  assert.isTrue(isAlive(running))
  takeDown(mine)
  assert.isFalse(isAlive(running))
  assert.isFalse(existsSync(mine))
})

it("a component is killed and started again under its name, and told of by what it printed", () => {
  const folder = openFolder()
  opened.push(folder)
  Components.define(folder, "printer", { command: "sh", args: ["-c", "echo one two; sleep 3600"] })
  Components.start(folder, "printer")
  const first = Components.pidOf(folder, "printer")
  for (let waited = 0; waited < 5_000 && Components.tail(folder, "printer") === ""; waited += 10)
    Components.sleepNow(10)
  Components.start(folder, "printer")
  assert.strictEqual(Components.pidOf(folder, "printer"), first)
  Components.kill(folder, "printer")
  assert.isUndefined(Components.pidOf(folder, "printer"))
  assert.strictEqual(Components.tail(folder, "printer"), "one two")
  Components.start(folder, "printer")
  assert.notStrictEqual(Components.pidOf(folder, "printer"), first)
})

it("a pid that another process has by now is left alone", () => {
  const folder = openFolder()
  opened.push(folder)
  const pid = sleeper(folder)
  const stranger = openFolder()
  opened.push(stranger)
  Components.define(stranger, "sleeper", { command: "sleep", args: ["3600"] })
  writeFileSync(join(stranger, "components", "sleeper.pid"), `${pid}-1`)
  Components.killAll(stranger)
  assert.isTrue(isAlive(pid))
})
