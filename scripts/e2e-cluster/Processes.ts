/** The agent's processes, as this machine sees them: its node is no other. */
import { readdirSync, readFileSync } from "node:fs"

/** OpenClaw's in the pod with this uid. */
export const processesOf = (uid: string): ReadonlyArray<number> =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(`pod${uid}`) &&
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("openclaw")
        )
      } catch {
        return false
      }
    })
    .map(Number)

/** What Linux counts in towards user space, on every architecture. */
const tickMillis = 10

/** The processor's time of a process and of its children that ended, out of `/proc/<pid>/stat`. */
export const cpuMillisIn = (stat: string): number => {
  // The name, which may hold anything, ends with the last parenthesis; the times are fields 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * tickMillis
}

/** What the pod's OpenClaw has taken of the processors so far. */
export const cpuMillisOf = (uid: string): number =>
  processesOf(uid).reduce((sum, pid) => {
    try {
      return sum + cpuMillisIn(readFileSync(`/proc/${pid}/stat`, "utf8"))
    } catch {
      return sum
    }
  }, 0)
