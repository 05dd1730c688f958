/** One process of the machine at a time, by flock: the kernel lets go of it whatever becomes of the holder. */
import { spawn } from "node:child_process"
import * as Effect from "effect/Effect"
import { ClusterFailed } from "./Failure.ts"

/** Held as long as the scope lives, by a process that ends with this one. */
export const locked = (file: string, whileWaiting: string, say: (line: string) => void) =>
  Effect.acquireRelease(
    Effect.callback<() => void, ClusterFailed>((resume) => {
      const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo held; exec cat >/dev/null"], {
        stdio: ["pipe", "pipe", "ignore"],
        // A terminal's Ctrl-C must not take the lock away while what it guards is still being taken down.
        detached: true,
      })
      const late = setTimeout(() => say(whileWaiting), 1_000)
      holder.on("error", (error) => resume(Effect.fail(new ClusterFailed({ message: `flock: ${error.message}` }))))
      holder.stdout.once("data", () => {
        clearTimeout(late)
        resume(Effect.succeed(() => holder.stdin.end()))
      })
      return Effect.sync(() => {
        clearTimeout(late)
        holder.kill("SIGKILL")
      })
    }),
    (release) => Effect.sync(release),
    { interruptible: true },
  )
