/**
 * Whose process Postgres is. It refuses to run as root, so root hands it to an unprivileged account that exists already;
 * everyone else runs it as themselves. The owner of existing data is kept.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, statSync } from "node:fs"

/** Undefined: the user who runs this process. */
export type Account = { readonly uid: number; readonly gid: number } | undefined

const nobody = { uid: 65534, gid: 65534 }

const named = (name: string): Account => {
  let passwd: string
  try {
    passwd = readFileSync("/etc/passwd", "utf8")
  } catch {
    return undefined
  }
  const fields = passwd
    .split("\n")
    .find((line) => line.startsWith(`${name}:`))
    ?.split(":")
  const uid = Number(fields?.[2])
  return fields === undefined || !(uid > 0) ? undefined : { uid, gid: Number(fields[3]) }
}

export const accountFor = (data: string): Account => {
  if (process.getuid?.() !== 0) return undefined
  const stat = statSync(data, { throwIfNoEntry: false })
  if (stat !== undefined && stat.uid !== 0) return { uid: stat.uid, gid: stat.gid }
  return named("postgres") ?? named("nobody") ?? nobody
}

/** Asked of the kernel rather than of permission bits, so that access lists and mounts count too. */
export const canEnter = (account: Account, folder: string): boolean =>
  spawnSync("/bin/sh", ["-c", 'cd "$1"', "sh", folder], { ...account, cwd: "/", stdio: "ignore" }).status === 0
