/** The probe in a pod: what is tried from there, and what came of it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Handle } from "../cluster/Handle.ts"

export interface PodRef {
  readonly namespace: string
  /** A pod's name, or `deploy/<name>`. */
  readonly pod: string
  readonly container: string
  /** Where the probe stands in it. */
  readonly probe: string
}

export type Attempt =
  | { readonly kind: "tcp" | "udp" | "http"; readonly address: string; readonly millis?: number }
  | { readonly kind: "dns"; readonly address: string; readonly network: "udp" | "tcp"; readonly name: string }
  | { readonly kind: "write" | "read" | "socket" | "syscall"; readonly name: string }

const Outcome = Schema.fromJsonString(
  Schema.Struct({ worked: Schema.Boolean, how: Schema.String, millis: Schema.Number }),
)
export type Outcome = typeof Outcome.Type

/** Runs a command in the container; what it printed. */
export const inside = (cluster: Handle<never>, { container, namespace, pod }: PodRef, command: ReadonlyArray<string>) =>
  cluster.kubectl(["exec", `--namespace=${namespace}`, pod, `--container=${container}`, "--", ...command])

/** Tries all of them at once; their outcomes in the same order. */
export const attempt = Effect.fn("Probe.attempt")(function* (
  cluster: Handle<never>,
  from: PodRef,
  attempts: ReadonlyArray<Attempt>,
) {
  const printed = yield* inside(cluster, from, [from.probe, "run", JSON.stringify(attempts)])
  const outcomes = yield* Effect.forEach(printed.trim().split("\n"), (line) =>
    Effect.orDie(Schema.decodeUnknownEffect(Outcome)(line)),
  )
  if (outcomes.length !== attempts.length)
    return yield* Effect.die(new Error(`${attempts.length} attempts, ${outcomes.length} outcomes: ${printed}`))
  return outcomes
})
