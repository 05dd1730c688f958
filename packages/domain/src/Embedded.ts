/**
 * Which ports of a service stand embedded, and whether that may be.
 * Invariant: a production process never serves customers from an embedded port.
 */

import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { Refused } from "./Launch.ts"

/** Each port by name, and the variable that switches it to the real thing; `undefined` when it already is real. */
export type EmbeddedPorts = Readonly<Record<string, string | undefined>>

/** The one line that tells why this process must not start, or `undefined` when it may. */
export const refusal = (env: string, ports: EmbeddedPorts): string | undefined => {
  const missing = Object.entries(ports).flatMap(([port, variable]) =>
    variable === undefined ? [] : [`${variable} (${port})`],
  )
  return env === "production" && missing.length > 0
    ? `BERTH_ENV=production refuses embedded ports: set ${missing.join(", ")}.`
    : undefined
}

/** An empty variable counts as one that is not given. */
export const isGiven = (variable: string): Config.Config<boolean> =>
  Config.String(variable).pipe(
    Config.withDefault(""),
    Config.map((value) => value !== ""),
  )

/**
 * Reads which ports stand embedded: for each, the variable that would make it real, or undefined where it is given.
 * Refuses to go on in production while one is embedded.
 */
export const read = <Port extends string>(
  variables: Readonly<Record<Port, string>>,
): Effect.Effect<Readonly<Record<Port, string | undefined>>, Config.ConfigError | Refused> =>
  Effect.gen(function* () {
    const ports: Record<string, string | undefined> = {}
    for (const [port, variable] of Object.entries<string>(variables))
      ports[port] = (yield* isGiven(variable)) ? undefined : variable
    const env = yield* Config.Literals(["development", "production"], "BERTH_ENV").pipe(
      Config.withDefault("development" as const),
    )
    const message = refusal(env, ports)
    return message === undefined
      ? (ports as Readonly<Record<Port, string | undefined>>)
      : yield* new Refused({ message })
  })

/** One line a port, for the start banner. */
export const describe = (ports: EmbeddedPorts): ReadonlyArray<string> =>
  Object.entries(ports).map(([port, variable]) =>
    variable === undefined ? `  ${port.padEnd(10)} real` : `  ${port.padEnd(10)} embedded (${variable} makes it real)`,
  )
