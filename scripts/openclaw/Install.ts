/** The real OpenClaw from npm, fetched once into `.berth/openclaw` and kept: about 650 MB. No dependency of ours. */
import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** The version whose behaviour docs/errors.md tells. */
export const version = "2026.9.6"

const root = join(import.meta.dirname, "../..")
export const folder = join(root, ".berth", "openclaw")
export const program = join(folder, "node_modules", "openclaw", "openclaw.mjs")
const home = join(folder, "node_modules", "openclaw")
const manifest = join(home, "package.json")

const installed = (): string | undefined =>
  existsSync(program) && existsSync(manifest) && !existsSync(join(home, ".openclaw-lifecycle-pending"))
    ? (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version
    : undefined

const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, `openclaw@${version}`]

const run = async (command: string, args: ReadonlyArray<string>): Promise<void> => {
  const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit"], cwd: folder })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject)
    child.on("close", resolve)
  })
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}`)
}

/** Installs it unless it stands there; npm's own progress is shown. */
export const install = async (say: (line: string) => void): Promise<void> => {
  if (installed() === version) return
  say(`installing openclaw@${version} into .berth/openclaw (about 650 MB, once)`)
  mkdirSync(folder, { recursive: true })
  await run("npm", args)
  // Its first run finishes what the skipped install scripts left to do, and must be allowed to write beside itself.
  await run(process.execPath, [program, "--version"])
  if (installed() !== version) throw new Error(`openclaw@${version} is not in ${folder}: remove it and try again`)
}
