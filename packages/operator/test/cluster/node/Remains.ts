/**
 * What a node leaves on its machine besides its folder: containers' processes, mounts, cgroups, network namespaces, links,
 * CNI's records. Every step can be repeated, none fails for what is not there, and all block the thread, so that this works
 * while a process exits.
 */
import { spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { signal } from "@berth/domain/live/EmbeddedPostgres/Processes"
import { cgroup, containerdSocket, runtimeFolder } from "./Addresses.ts"
import * as Components from "../Components.ts"
import { networkDown, networkLost } from "./Network.ts"

const list = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const text = (file: string): string => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/**
 * Where each of the machine's cgroup hierarchies holds the node's: with cgroup v1 there are several, and runc makes one of
 * its own accord in the v2 hierarchy that may stand beside them.
 */
export const cgroups = (mounts: string, version: "cgroup" | "cgroup2"): ReadonlyArray<string> =>
  mounts
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , kind]) => kind === version)
    .map(([, place = ""]) => join(place, cgroup))

/** Mount points below these folders, the deepest first. */
export const mountsBelow = (mounts: string, folders: ReadonlyArray<string>): ReadonlyArray<string> =>
  mounts
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((place) => folders.some((folder) => place.startsWith(`${folder}/`)))
    .reverse()

const mounts = () => text("/proc/mounts")
const allCgroups = () => [...cgroups(mounts(), "cgroup"), ...cgroups(mounts(), "cgroup2")]

/** The cgroup of all pods; the kubelet wants to find it. */
export const makeCgroups = (): void => {
  const first = cgroups(mounts(), "cgroup")
  for (const place of first.length > 0 ? first : cgroups(mounts(), "cgroup2")) {
    mkdirSync(place, { recursive: true })
    // A cpuset of cgroup v1 takes no process before it is told its processors and memory.
    for (const name of ["cpuset.cpus", "cpuset.mems"])
      if (
        existsSync(join(place, name)) &&
        text(join(place, name)).trim() === "" &&
        !existsSync(join(place, "cgroup.controllers"))
      )
        writeFileSync(join(place, name), text(join(place, "..", name)).trim())
    // With v2 a cgroup has the controllers that its parent hands down.
    if (existsSync(join(place, "cgroup.controllers")))
      writeFileSync(join(place, "..", "cgroup.subtree_control"), "+cpu +cpuset +memory +pids")
  }
}

const below = (folder: string): ReadonlyArray<string> => {
  const folders = list(folder).map((name) => join(folder, name))
  return [...folders.filter((one) => existsSync(join(one, "cgroup.procs"))).flatMap(below), folder]
}

const shims = (): ReadonlyArray<number> =>
  list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => text(`/proc/${pid}/cmdline`).includes(containerdSocket))
    .map(Number)

const ofPods = (): ReadonlyArray<number> =>
  allCgroups().flatMap((place) =>
    below(place).flatMap((one) => text(join(one, "cgroup.procs")).split("\n").filter(Boolean).map(Number)),
  )

/** Everything that runs in a container, and what watches over it. */
export const killContainers = (): void => {
  for (let round = 0; round < 200; round++) {
    const left = [...shims(), ...ofPods()].filter((pid) => pid !== process.pid)
    if (left.length === 0) return
    for (const pid of left) signal(pid, "SIGKILL")
    Components.sleepNow(20)
  }
}

/** CNI's library notes here what it did for which network namespace. */
const cniResults = "/var/lib/cni/results"

const quietly = (command: ReadonlyArray<string>) => spawnSync(command[0] ?? "", command.slice(1), { stdio: "ignore" })

const unmount = (folders: ReadonlyArray<string>) => {
  for (const place of mountsBelow(mounts(), folders)) quietly(["umount", "-l", place.replaceAll("\\040", " ")])
}

const removeCgroups = () => {
  for (const place of allCgroups().filter((one) => existsSync(one)))
    for (const one of below(place)) {
      try {
        rmdirSync(one)
      } catch {
        // A process in it may take a moment to be gone; an empty cgroup that stays does no harm.
      }
    }
}

/** The kubelet links each container's log here, whatever folder it is told to use. */
const removeLogs = (folder: string) => {
  for (const name of list("/var/log/containers")) {
    const link = join("/var/log/containers", name)
    try {
      if (readlinkSync(link).startsWith(`${folder}/`)) rmSync(link)
    } catch {
      // Not a link, or gone.
    }
  }
}

/** As after a loss of power, once all components are dead: nothing is left of what a reboot takes. The disk stays as it is. */
export const losePower = (folder: string): void => {
  killContainers()
  unmount([folder, runtimeFolder])
  removeCgroups()
  for (const command of networkLost) quietly(command)
  rmSync(join(runtimeFolder, "state"), { recursive: true, force: true })
  rmSync(containerdSocket, { force: true })
}

/** Everything of a node, whose components are dead already. */
export const removeNode = (folder: string): void => {
  killContainers()
  unmount([folder, runtimeFolder])
  removeCgroups()
  for (const command of networkDown) quietly(command)
  removeLogs(folder)
  for (const file of list(cniResults).map((name) => join(cniResults, name)))
    if (text(file).includes(runtimeFolder)) rmSync(file, { force: true })
  rmSync(runtimeFolder, { recursive: true, force: true })
}
