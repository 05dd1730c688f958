/**
 * How every program of Berth runs: until it is told to stop, then drained; and what it says when it cannot start, which is
 * one line that tells what to do. What has no such line is a defect and is printed whole.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

/** This program must not start as it is configured; the message says what to change. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String }) {}

/** Errors whose message already says in a line what to do. */
const plainlySaid = new Set(["EmbeddedPostgresError", "BundleFailed", "StoryFailed"])

const firstLine = (text: string): string => text.trim().split("\n")[0] ?? text

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** Each wrong variable by name. What was given is not shown: it may be a secret. */
const configLines = ({ cause }: Config.ConfigError): ReadonlyArray<string> =>
  Schema.isSchemaError(cause)
    ? issuesOf(cause.issue).issues.map(({ path, message }) => {
        const expected = message.replace(/^Expected /, "expected ")
        return `${(path ?? []).map(String).join("_")} is missing or wrong: ${expected} (see docs/configuration.md).`
      })
    : [`The environment cannot be read: ${firstLine(cause.message)}`]

/** Why Postgres did not let us in, without its address, which holds the password. */
const postgresLine = (reason: unknown): string | undefined => {
  const tag = Predicate.hasProperty(reason, "_tag") ? String(reason._tag) : ""
  if (tag === "ConnectionError")
    return "Postgres cannot be reached: check that DATABASE_URL (postgres://user:password@host:port/database) names a running server."
  return tag === "AuthenticationError" || tag === "AuthorizationError"
    ? "Postgres refuses this login: check user, password and database in DATABASE_URL."
    : undefined
}

/** The one line for a failure, or undefined when there is none and the whole of it should be shown. */
export const explain = (error: unknown): string | undefined => {
  if (error instanceof Refused) return error.message
  if (error instanceof Config.ConfigError) return configLines(error).join("\n")
  if (!Predicate.hasProperty(error, "_tag")) return undefined
  if (plainlySaid.has(String(error._tag)) && Predicate.hasProperty(error, "message"))
    return firstLine(String(error.message))
  if (error._tag === "SqlError" && Predicate.hasProperty(error, "reason")) return postgresLine(error.reason)
  return undefined
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

const run = <A, E>(program: Effect.Effect<A, E>, teardown: Runtime.Teardown): void =>
  NodeRuntime.runMain(
    program.pipe(Effect.tapCause((cause) => (Cause.hasInterruptsOnly(cause) ? Effect.void : report(cause)))),
    { disableErrorReporting: true, teardown },
  )

/** Runs a program; its failure is told in a line and ends the process with 1. SIGINT and SIGTERM interrupt it: 130. */
export const runMain = <A, E>(program: Effect.Effect<A, E>): void => run(program, Runtime.defaultTeardown)

/** To stop and drain when told to is what a service should do: that is 0. */
const drained: Runtime.Teardown = (exit, onExit) =>
  onExit(Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)

/** Runs a layer until it is told to stop. */
export const launch = <A, E>(layer: Layer.Layer<A, E>): void => run(Layer.launch(layer), drained)
