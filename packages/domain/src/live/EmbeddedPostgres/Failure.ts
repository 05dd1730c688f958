/** How the embedded Postgres fails: always with one line that says what to do. */
import { userInfo } from "node:os"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export class EmbeddedPostgresError extends Schema.TaggedError<EmbeddedPostgresError>()("EmbeddedPostgresError", {
  /** Unwritable: the folder. Unsupported: no binary runs here. Damaged: state and data do not belong together. */
  reason: Schema.Literals(["Unwritable", "Unsupported", "Damaged", "Failed"]),
  message: Schema.String,
}) {}

type Reason = EmbeddedPostgresError["reason"]

export const failure = (reason: Reason, message: string) => new EmbeddedPostgresError({ reason, message })

export const codeOf = (cause: unknown): string | undefined =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : undefined

/** Turns what the file system threw into one line; permissions get the line that says who must be able to write where. */
export const fromSystem =
  (folder: string) =>
  (cause: unknown): EmbeddedPostgresError => {
    if (cause instanceof EmbeddedPostgresError) return cause
    const code = codeOf(cause)
    if (code === "EACCES" || code === "EPERM" || code === "EROFS" || code === "ENOTDIR") {
      return failure(
        "Unwritable",
        `Postgres cannot keep its data in ${folder} (${code}): make that folder writable for user ${username()}, or name another one`,
      )
    }
    if (code === "ENOSPC") return failure("Failed", `The disk of ${folder} is full: make room and start again`)
    return failure("Failed", `Postgres cannot use ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`)
  }

/** Runs file system calls of one folder with typed failures. */
export const attempt = <A>(folder: string, run: () => A): Effect.Effect<A, EmbeddedPostgresError> =>
  Effect.try({ try: run, catch: fromSystem(folder) })

/** Containers may run a uid that has no name. */
const username = (): string => {
  try {
    return userInfo().username
  } catch {
    return String(process.getuid?.() ?? "unknown")
  }
}
