/**
 * Which ports of a service stand embedded, and whether that may be. Pure: bin files pass what Config told them.
 * Invariant: a production process never serves customers from an embedded port.
 */

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
