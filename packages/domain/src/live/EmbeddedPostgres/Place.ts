/**
 * Where an embedded Postgres lives and what it remembers: `<folder>.json` (mode 0600) beside the folder holds the
 * password, the port last used and, if the account of Postgres cannot enter the folder, the home outside of it.
 */
import { randomBytes } from "node:crypto"
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { accountFor, canEnter } from "./Account.ts"
import { codeOf, failure } from "./Failure.ts"

const Memory = Schema.Struct({
  password: Schema.String,
  port: Schema.optionalKey(Schema.Int),
  /** Set only if data and binaries had to go elsewhere. */
  home: Schema.optionalKey(Schema.String),
})
type Memory = typeof Memory.Type
const decode = Schema.decodeUnknownExit(Schema.fromJsonString(Memory))

export interface Place {
  /** Holds `data`, the log, and copies of binaries. Belongs to whoever runs Berth, and others may only pass through. */
  readonly home: string
  /** The data folder of Postgres; belongs to its account. */
  readonly data: string
  readonly password: string
  /** The port of the last run. */
  readonly port: number | undefined
}

const memoryFile = (folder: string) => `${folder}.json`

export const recall = (folder: string): Memory | undefined => {
  const file = memoryFile(folder)
  let text: string
  try {
    text = readFileSync(file, "utf8")
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined
    throw cause
  }
  const memory = decode(text)
  if (Exit.isFailure(memory))
    throw failure("Damaged", `${file} cannot be read: put it back as it was, or run npm run reset (deletes its data)`)
  return memory.value
}

const homeOf = (folder: string, memory: Memory): string => memory.home ?? folder

/** Writes through a file of its own, so that a reader never sees half of it. */
const remember = (folder: string, memory: Memory, publish: (from: string, to: string) => void): void => {
  const draft = `${memoryFile(folder)}.${process.pid}.${randomBytes(4).toString("hex")}`
  try {
    writeFileSync(draft, `${JSON.stringify(memory, null, 2)}\n`, { mode: 0o600 })
    publish(draft, memoryFile(folder))
  } finally {
    rmSync(draft, { force: true })
  }
}

export const rememberPort = (folder: string, port: number): void => {
  const memory = recall(folder)
  if (memory !== undefined && memory.port !== port) remember(folder, { ...memory, port }, renameSync)
}

/** A home that the account of Postgres can enter: the folder itself, else a new one with a name that nobody can guess. */
const findHome = (folder: string): string => {
  const account = accountFor(join(folder, "data"))
  if (account === undefined || canEnter(account, folder)) return folder
  for (const base of ["/var/lib", tmpdir()]) {
    const home = join(base, `berth-${randomBytes(12).toString("hex")}`)
    try {
      mkdirSync(home, { mode: 0o711 })
      chmodSync(home, 0o711)
    } catch {
      continue
    }
    if (canEnter(account, home)) return home
    rmSync(home, { recursive: true, force: true })
  }
  throw failure(
    "Unwritable",
    `Postgres may not run as root, and uid ${account.uid} can enter neither ${folder} nor /var/lib nor ${tmpdir()}: run Berth as an ordinary user`,
  )
}

/** Opens the place, making it on the first start. Two starts at once agree: the first to publish its memory wins. */
export const openPlace = (folder: string): Place => {
  if (mkdirSync(folder, { recursive: true }) !== undefined && process.getuid?.() === 0) chmodSync(folder, 0o711)
  let memory = recall(folder)
  if (memory === undefined) {
    if (existsSync(join(folder, "data", "PG_VERSION"))) {
      throw failure(
        "Damaged",
        `${memoryFile(folder)} with the password of ${folder} is gone: put it back, or run npm run reset (deletes the data)`,
      )
    }
    const home = findHome(folder)
    const fresh = { password: randomBytes(24).toString("base64url"), ...(home === folder ? {} : { home }) }
    try {
      remember(folder, fresh, linkSync)
    } catch (cause) {
      if (home !== folder) rmSync(home, { recursive: true, force: true })
      if (codeOf(cause) !== "EEXIST") throw cause
    }
    memory = recall(folder) ?? fresh
  }
  const home = homeOf(folder, memory)
  if (!existsSync(home)) {
    throw failure(
      "Damaged",
      `${home}, where ${memoryFile(folder)} says the data is, is gone: bring it back, or run npm run reset`,
    )
  }
  const data = join(home, "data")
  const owner = statSync(data, { throwIfNoEntry: false })?.uid
  const me = process.getuid?.()
  if (owner !== undefined && me !== undefined && me !== 0 && owner !== me) {
    throw failure(
      "Unwritable",
      `${data} belongs to uid ${owner}, not to you: start Berth as before (root?), or run npm run reset as root`,
    )
  }
  return { home, data, password: memory.password, port: memory.port }
}

/** Forgets the place and deletes what it holds. The server must be down. */
export const erasePlace = (folder: string): void => {
  const memory = recall(folder)
  if (memory !== undefined) rmSync(homeOf(folder, memory), { recursive: true, force: true })
  rmSync(folder, { recursive: true, force: true })
  rmSync(memoryFile(folder), { force: true })
}

/** The home of a place that may not exist; for reset, which must find it without making it. */
export const existingHome = (folder: string): string | undefined => {
  const memory = recall(folder)
  if (memory !== undefined) return homeOf(folder, memory)
  return existsSync(dirname(folder)) && existsSync(folder) ? folder : undefined
}
