/** Carries a plan out, in order, and stops where the cluster says no. What was done before stays: the next pass goes on. */
import * as Effect from "effect/Effect"
import type { Step } from "@berth/domain/Lifecycle"
import { type Cluster, whole } from "./Cluster.ts"
import { type JsonObject, type Manifest, nameOf, refOf, type Stored } from "./Manifest.ts"
import type { Change } from "./Plan.ts"
import { refusalTrouble, type Trouble } from "./Sight.ts"

export interface Carried {
  /** What the cluster stores by now, by name. */
  readonly stored: ReadonlyMap<string, Stored>
  /** Steps that still lack something. */
  readonly open: ReadonlyArray<Step>
  /** Names of what was put back after someone had changed it. */
  readonly repaired: ReadonlyArray<string>
  readonly trouble: Trouble | undefined
}

/** Everything but the identity, for a patch that replaces lists into which someone put items of their own. */
const content = ({ apiVersion: _, kind: __, metadata: ___, ...rest }: Manifest) => rest as JsonObject

const put = Effect.fnUntraced(function* (cluster: Cluster["Service"], object: Manifest) {
  return yield* cluster.apply(object).pipe(
    Effect.catchIf(
      (error) => error._tag === "Refused" && error.reason === "FieldLost",
      () =>
        cluster
          .merge(refOf(object), content(object))
          .pipe(Effect.flatMap((stored) => whole(object, undefined, stored))),
    ),
  )
})

export const carry = Effect.fn("Carry.carry")(function* (cluster: Cluster["Service"], changes: ReadonlyArray<Change>) {
  const stored = new Map<string, Stored>()
  const repaired: Array<string> = []
  for (const [index, { object, step, why }] of changes.entries()) {
    const name = nameOf(refOf(object))
    const result = yield* put(cluster, object).pipe(
      Effect.map((one) => ({ one })),
      // A namespace on its way out takes nothing in; it is built again once it is gone.
      Effect.catchIf(
        (error) => error._tag === "Refused" && error.reason !== "Terminating",
        (error) =>
          Effect.logError(`the cluster refuses ${name}: ${error.message}`).pipe(
            Effect.as({ trouble: refusalTrouble(step) }),
          ),
      ),
    )
    if ("trouble" in result)
      return {
        stored,
        open: changes.slice(index).map((change) => change.step),
        repaired,
        trouble: result.trouble,
      } satisfies Carried as Carried
    stored.set(name, result.one)
    if (why === "drift") repaired.push(name)
  }
  return { stored, open: [], repaired, trouble: undefined } satisfies Carried as Carried
})
