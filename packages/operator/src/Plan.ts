/**
 * What has to change: current against desired, in the order in which it is to be done. Pure. Invariant: objects that
 * already hold all that is meant are not in the plan, so a second reconcile of an unchanged Agent sends nothing.
 */
import type { Step } from "@berth/domain/Lifecycle"
import { desiredAnnotation } from "./desired/Names.ts"
import type { DesiredObject } from "./desired/Objects.ts"
import { foreignIn } from "./Foreign.ts"
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

/** How an object stands, compared with what is meant. */
export interface Standing {
  /** Hash of the object as it was last meant. */
  readonly mark: string | undefined
  /** Whether it holds all that is meant now, and nothing else. */
  readonly whole: boolean
}

/** Objects as they stand, by `nameOf`. What is not in it does not stand. */
export type Current = ReadonlyMap<string, Standing>

export const markOf = (object: Manifest): string | undefined => object.metadata.annotations?.[desiredAnnotation]

export const standingOf = (meant: Manifest, stored: Stored): Standing => ({
  mark: markOf(stored),
  whole: differenceFrom(meant, stored) === undefined && foreignIn(meant, stored).length === 0,
})

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
    const standing = current.get(nameOf(refOf(object)))
    if (standing === undefined) return [{ step, object, why: placed.includes(step) ? "drift" : "create" }]
    // A missing mark was taken away by someone; without one there is nothing to compare with, so it counts as a change.
    if (standing.mark !== markOf(object)) return [{ step, object, why: "change" }]
    return standing.whole ? [] : [{ step, object, why: "drift" }]
  })
