/**
 * Which ports of a service stand embedded, and whether that may be.
 * Invariant: a production process never serves customers from an embedded port.
 */

import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { Refused } from "./Launch.ts"

/** What makes a port real: its own variable first, then those that it is of no use without. */
export type Variables<Port extends string> = Readonly<
  Record<Port, string | readonly [string, ...ReadonlyArray<string>]>
>

/** Each port by name, and the variable that switches it to the real thing; `undefined` when it already is real. */
export type EmbeddedPorts<Port extends string = string> = Readonly<Record<Port, string | undefined>>

/** A port's variables, its own one first, and whether each is given. */
export type Given = Readonly<Record<string, ReadonlyArray<readonly [variable: string, isGiven: boolean]>>>

/** The one line that tells why this process must not start, or `undefined` when it may. */
export const refusal = (env: string, ports: Given): string | undefined => {
  const missing = Object.entries(ports).flatMap(([port, variables]) => {
    const names = variables.filter(([, isGiven]) => !isGiven).map(([name]) => name)
    return names.length === 0 ? [] : [{ port, names, own: variables[0] }]
  })
  if (env === "production" && missing.length > 0)
    return `BERTH_ENV=production refuses embedded ports: set ${missing
      .map(({ port, names }) => `${names.join(" and ")} (${port})`)
      .join(", ")}.`
  const half = missing.find(({ own }) => own?.[1] === true)
  if (half === undefined) return undefined
  const are = half.names.length > 1 ? "are" : "is"
  return `${half.own?.[0]} is given, so ${half.names.join(" and ")} ${are} needed too.`
}

/** An empty variable counts as one that is not given. */
export const isGiven = (variable: string): Config.Config<boolean> =>
  Config.String(variable).pipe(
    Config.withDefault(""),
    Config.map((value) => value !== ""),
  )

/** `BERTH_ENV`: development, or production, where nothing may be embedded. */
export const environment = Config.Literals(["development", "production"], "BERTH_ENV").pipe(
  Config.withDefault("development" as const),
)

/**
 * Reads which ports stand embedded: for each, the variable that would make it real, or undefined where it is given.
 * Refuses to go on in production while one is embedded, and anywhere with half of what a real one needs.
 */
export const read = <Port extends string>(
  variables: Variables<Port>,
): Effect.Effect<EmbeddedPorts<Port>, Config.ConfigError | Refused> =>
  Effect.gen(function* () {
    const given: Record<string, ReadonlyArray<readonly [string, boolean]>> = {}
    for (const [port, names] of Object.entries<string | ReadonlyArray<string>>(variables))
      given[port] = yield* Effect.forEach([names].flat(), (name) =>
        Effect.map(isGiven(name), (is) => [name, is] as const),
      )
    const message = refusal(yield* environment, given)
    if (message !== undefined) return yield* new Refused({ message })
    const own = Object.entries(given).map(([port, [first]]) => [port, first?.[1] === true ? undefined : first?.[0]])
    return Object.fromEntries(own) as EmbeddedPorts<Port>
  })

/** One line a port, for the start banner. */
export const describe = (ports: EmbeddedPorts): ReadonlyArray<string> =>
  Object.entries(ports).map(([port, variable]) =>
    variable === undefined ? `  ${port.padEnd(10)} real` : `  ${port.padEnd(10)} embedded (${variable} makes it real)`,
  )

export interface Banner {
  /** What runs, and where. */
  readonly title: string
  readonly ports: EmbeddedPorts
  /** What to open, by a word for each. */
  readonly open: Readonly<Record<string, string>>
  /** Lines to try; empty when real customers are behind it. */
  readonly tryIt: ReadonlyArray<string>
}

/** What a service prints once everything listens. */
export const banner = ({ title, ports, open, tryIt }: Banner): string =>
  [
    title,
    ...describe(ports),
    ...Object.entries(open).map(([word, place]) => `  ${word.padEnd(10)} ${place}`),
    ...(tryIt.length === 0 ? [] : ["", "Try it:", ...tryIt.map((line) => `  ${line}`)]),
  ].join("\n")
