/**
 * The root file system below OpenClaw and Berth's own services: what their programs need of Debian and no more, straight
 * from its packages. There is no package manager in it and nothing that needs root. The folders that once stood beside /usr
 * are links into it.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type Layer, layerOf } from "./Archive.ts"
import { keyOf } from "./Cache.ts"
import { run } from "./Command.ts"
import { ImageFailed } from "./Failed.ts"
import { keptLayer, layerFile } from "./Layers.ts"

const image = "debian"

/** A shell and its tools, for the agent has a tool to run commands with. */
const packages = [
  "libc6",
  "libgcc-s1",
  "libstdc++6",
  "coreutils",
  "dash",
  "bash",
  "libtinfo6",
  "libselinux1",
  "libpcre2-8-0",
  "libacl1",
  "libattr1",
  "libgmp10",
  "ca-certificates",
  "grep",
  "sed",
  "findutils",
  "tar",
]
const folded = ["bin", "sbin", "lib", "lib64"]
/** Nobody reads them in a pod. */
const unread = ["usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "var"]

const passwd = "root:x:0:0:root:/root:/usr/sbin/nologin\nagent:x:10001:10001::/data:/bin/bash\n"
const group = "root:x:0:\nagent:x:10001:\n"

const unpack = (folder: string) =>
  Effect.gen(function* () {
    const debs = join(folder, "debs")
    const root = join(folder, "root")
    mkdirSync(debs)
    mkdirSync(join(root, "usr"), { recursive: true })
    for (const name of folded) {
      mkdirSync(join(root, "usr", name))
      symlinkSync(`usr/${name}`, join(root, name))
    }
    yield* run({ image, command: "apt-get", args: ["download", ...packages], cwd: debs })
    for (const deb of readdirSync(debs)) {
      const script = `dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2"`
      yield* run({ image, command: "sh", args: ["-c", script, "sh", join(debs, deb), root] })
    }
    for (const name of unread) rmSync(join(root, name), { recursive: true, force: true })
    for (const name of ["etc", "tmp", "data", "config", "var"]) mkdirSync(join(root, name), { recursive: true })
    if (!existsSync(join(root, "bin/sh"))) symlinkSync("dash", join(root, "bin/sh"))
    writeFileSync(join(root, "etc/passwd"), passwd)
    writeFileSync(join(root, "etc/group"), group)
    const authorities = join(root, "usr/share/ca-certificates/mozilla")
    mkdirSync(join(root, "etc/ssl/certs"), { recursive: true })
    writeFileSync(
      join(root, "etc/ssl/certs/ca-certificates.crt"),
      readdirSync(authorities)
        .sort()
        .map((file) => readFileSync(join(authorities, file), "utf8"))
        .join(""),
    )
    return root
  })

const release = (): string => {
  try {
    return readFileSync("/etc/os-release", "utf8")
  } catch {
    return ""
  }
}

/** The layer, from a cache that a new release of Debian makes anew. */
export const debian: Effect.Effect<Layer, ImageFailed> = Effect.suspend(() => {
  const id = release()
  if (!/^ID(?:_LIKE)?=.*debian/m.test(id))
    return Effect.fail(
      new ImageFailed({ image, message: "the root file system comes from Debian's packages: needs Debian" }),
    )
  return keptLayer("layer-debian", keyOf(id, ...packages, passwd, group), (folder) =>
    Effect.flatMap(unpack(folder), (root) => layerOf({ image, folder: root, file: join(folder, layerFile) })),
  )
})
