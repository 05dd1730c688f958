/**
 * What has to change: current against desired, in the order in which it is to be done. Pure. Invariant: objects that
 * already hold all that is meant are not in the plan, so a second reconcile of an unchanged Agent sends nothing.
 */
import type { Step } from "@berth/domain/Lifecycle"
import { desiredAnnotation } from "./desired/Names.ts"
import type { DesiredObject } from "./desired/Objects.ts"
import { type Manifest, differenceFrom, nameOf, refOf, type Stored } from "./Manifest.ts"

export interface Change {
  readonly step: Step
  readonly object: Manifest
  /**
   * `create`: it never stood. `change`: it is meant otherwise than before. `drift`: it was put in place as it is meant
   * and someone else changed or removed it.
   */
  readonly why: "create" | "change" | "drift"
}

/** Objects as they stand, by `nameOf`. */
export type Current = ReadonlyMap<string, Stored>

/**
 * `placed` are the steps that were completed before: a missing object of such a step was removed by someone.
 * A stored object that was last meant otherwise (its hash differs) is a change, however it looks by now.
 */
export const plan = (
  desired: ReadonlyArray<DesiredObject>,
  current: Current,
  placed: ReadonlyArray<Step>,
): ReadonlyArray<Change> =>
  desired.flatMap(({ step, object }): ReadonlyArray<Change> => {
    const stored = current.get(nameOf(refOf(object)))
    if (stored === undefined) return [{ step, object, why: placed.includes(step) ? "drift" : "create" }]
    const meantBefore = stored.metadata.annotations?.[desiredAnnotation]
    const meantNow = object.metadata.annotations?.[desiredAnnotation]
    // A missing mark was taken away by someone; without one there is nothing to compare with, so it counts as a change.
    if (meantBefore !== meantNow) return [{ step, object, why: "change" }]
    return differenceFrom(object, stored) === undefined ? [] : [{ step, object, why: "drift" }]
  })
