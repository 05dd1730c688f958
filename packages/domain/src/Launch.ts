/**
 * How every program of Berth runs: until it is told to stop, then drained; and what it says when it cannot start, which is
 * one line that tells what to do. What has no such line is a defect and is printed whole.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

/** This program must not start as it is configured; the message says what to change. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

/** Errors whose message already says in a line what to do. */
const plainlySaid = new Set(["EmbeddedPostgresError", "BundleFailed", "StoryFailed"])

const firstLine = (text: string): string => text.trim().split("\n")[0] ?? text

const schemaLines = (text: string): string =>
  text
    .trim()
    .split("\n")
    .map((line) => line.trim())
    .join(" ")

/** The one line for a failure, or undefined when there is none and the whole of it should be shown. */
export const explain = (error: unknown): string | undefined => {
  if (error instanceof Refused) return error.message
  if (error instanceof Config.ConfigError) return `A variable is missing or wrong: ${schemaLines(error.message)}`
  if (!Predicate.hasProperty(error, "_tag")) return undefined
  if (plainlySaid.has(String(error._tag)) && Predicate.hasProperty(error, "message"))
    return firstLine(String(error.message))
  if (error._tag === "ServeError" && Predicate.hasProperty(error, "cause")) return listening(error.cause)
  if (error._tag === "SqlError")
    return "Postgres cannot be reached or refused the connection: check that DATABASE_URL names a running server."
  return undefined
}

const listening = (cause: unknown): string | undefined => {
  if (!Predicate.hasProperty(cause, "code")) return undefined
  const port = Predicate.hasProperty(cause, "port") ? String(cause.port) : "?"
  switch (cause.code) {
    case "EADDRINUSE":
      return `Port ${port} is busy: stop the program that listens on it, or choose another (PORT, PROXY_PORT, …; see docs/configuration.md).`
    case "EACCES":
      return `Port ${port} may not be opened by this user: choose one above 1023 (PORT, PROXY_PORT, …; see docs/configuration.md).`
    default:
      return undefined
  }
}

/** Prints why a program ends: one line where there is one. */
const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const failures = cause.reasons.flatMap((reason) =>
    Cause.isFailReason(reason) ? [reason.error] : Cause.isDieReason(reason) ? [reason.defect] : [],
  )
  const lines = failures.map(explain)
  return lines.length > 0 && lines.every((line) => line !== undefined)
    ? Console.error([...new Set(lines)].join("\n"))
    : Console.error(Cause.pretty(cause))
}

/** Runs a program; its failure is told in a line and ends the process with 1. SIGINT and SIGTERM interrupt it. */
export const runMain = <A, E>(program: Effect.Effect<A, E>): void =>
  NodeRuntime.runMain(
    program.pipe(Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : report(cause)))),
    { disableErrorReporting: true },
  )

/** Runs a layer until it is told to stop. */
export const launch = <A, E>(layer: Layer.Layer<A, E>): void => runMain(Layer.launch(layer))
