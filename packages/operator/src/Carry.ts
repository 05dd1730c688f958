/**
 * Carries a plan out, in stages, and stops after a stage in which the cluster said no. What was done before stays: the next
 * pass goes on. Objects of one stage need nothing of each other and go out together.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Step } from "@berth/domain/Lifecycle"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { type ApplyError, NotFound, Refused, whole } from "./Cluster.ts"
import { correction, foreignIn } from "./Foreign.ts"
import { type Manifest, nameOf, refOf, type Stored } from "./Manifest.ts"
import { type Change, markOf } from "./Plan.ts"
import { refusalTrouble, type Trouble } from "./Sight.ts"
import type { Tools } from "./Tools.ts"

export interface Carried {
  /** Steps that still lack something. */
  readonly open: ReadonlyArray<Step>
  /** Names of what was put back after someone had changed it. */
  readonly repaired: ReadonlyArray<string>
  readonly trouble: Trouble | undefined
}

/**
 * Policy and quota stand before anything that could run or take room, and the rights before all that needs them. A kind that
 * is not named goes with the middle.
 */
const stages: Readonly<Record<string, number>> = {
  Namespace: 0,
  RoleBinding: 1,
  PersistentVolumeClaim: 3,
  Service: 3,
  Deployment: 4,
}
const middle = 2
const stageOf = ({ object }: Change): number => stages[object.kind] ?? middle

/** A RoleBinding that was just made is not known to every API server yet; one this old is. */
const bindingSettles = 30_000
/** From 10 ms up to half a second apart, for about 3 s. */
const patience = Schedule.min([Schedule.exponential("10 millis"), Schedule.spaced("500 millis")])
const tries = 10

/** Somebody puts it back as fast as it is taken out. */
const fieldKept = (object: Manifest, paths: ReadonlyArray<ReadonlyArray<string>>) =>
  new Refused({
    object: nameOf(refOf(object)),
    reason: "FieldLost",
    message: `the server keeps ${paths.map((path) => path.join(".")).join(", ")}, which nobody meant`,
  })

/** Puts an object in place so that it holds all that is meant and nothing else; fails if it cannot be brought to that. */
export const put = Effect.fnUntraced(function* ({ cluster, observed }: Tools, object: Manifest, bindingIsNew: boolean) {
  // What is meant on top of one version is corrected on top of what came of it alone.
  const place = ({ metadata: { resourceVersion } }: Stored) =>
    object.metadata.resourceVersion === undefined ? {} : { metadata: { resourceVersion } }
  // What others own an apply leaves: items that they put into lists, fields that they added.
  const correct = (stored: Stored) =>
    cluster.merge(refOf(object), { ...correction(object, stored), ...place(stored) }).pipe(
      Effect.flatMap((corrected) => whole(object, undefined, corrected)),
      Effect.filterOrFail(
        (corrected) => foreignIn(object, corrected).length === 0,
        (corrected) => fieldKept(object, foreignIn(object, corrected)),
      ),
    )
  const applied = cluster.apply(object).pipe(
    Effect.catchIf(
      (error) => error._tag === "Refused" && error.reason === "FieldLost",
      () =>
        Effect.flatMap(
          cluster.get(refOf(object)),
          Option.match({
            onNone: () => Effect.fail(new NotFound({ object: nameOf(refOf(object)) })),
            onSome: correct,
          }),
        ),
    ),
    Effect.flatMap((stored) => (foreignIn(object, stored).length === 0 ? Effect.succeed(stored) : correct(stored))),
    Effect.retry({
      schedule: patience,
      times: tries,
      while: (error) => bindingIsNew && error._tag === "Refused" && error.reason === "Forbidden",
    }),
  )
  const stored: Stored = yield* applied
  if (object.kind !== "Secret") observed.note(stored, markOf(object))
})

/** An API server that has just started knows nobody's rights yet: only what it forbids for so long is forbidden. */
const forbiddenFor = 30_000

/** A namespace on its way out takes nothing in; it is built again once it is gone. */
const isRefusal = Effect.fnUntraced(function* ({ forbidden }: Tools, customerId: CustomerId, error: ApplyError) {
  if (error._tag !== "Refused" || error.reason === "Terminating") return false
  if (error.reason !== "Forbidden") return true
  const now = yield* Clock.currentTimeMillis
  const since = forbidden.get(customerId) ?? now
  forbidden.set(customerId, since)
  return now - since >= forbiddenFor
})

/** Whether the operator's rights in the namespace are so new that a refusal may only mean that they are not known yet. */
const hasNewBinding = Effect.fnUntraced(function* (
  { observed }: Tools,
  customerId: CustomerId,
  changes: ReadonlyArray<Change>,
) {
  if (changes.some(({ object }) => object.kind === "RoleBinding")) return true
  const now = yield* Clock.currentTimeMillis
  return observed
    .list(customerId, "RoleBinding")
    .some((binding) => now - Date.parse(binding.metadata.creationTimestamp) < bindingSettles)
})

export const carry = Effect.fn("Carry.carry")(function* (
  tools: Tools,
  customerId: CustomerId,
  changes: ReadonlyArray<Change>,
) {
  const repaired: Array<string> = []
  const bindingIsNew = yield* hasNewBinding(tools, customerId, changes)
  for (const stage of [...new Set(changes.map(stageOf))].sort((a, b) => a - b)) {
    const due = changes.filter((change) => stageOf(change) === stage)
    const results = yield* Effect.forEach(due, ({ object }) => Effect.result(put(tools, object, bindingIsNew)), {
      concurrency: "unbounded",
    })
    const refused: Array<Change> = []
    let trouble: Trouble | undefined
    for (const [index, change] of due.entries()) {
      const result = results[index]
      if (result === undefined) continue
      const name = nameOf(refOf(change.object))
      if (Result.isSuccess(result)) {
        if (change.why === "drift") repaired.push(name)
        continue
      }
      const error = result.failure
      if (!(yield* isRefusal(tools, customerId, error))) return yield* Effect.fail(error)
      refused.push(change)
      trouble ??= refusalTrouble(change.step, error._tag === "Refused" ? error.reason : undefined)
      yield* Effect.logError(`the cluster refuses ${name}: ${error.message}`)
    }
    if (trouble !== undefined)
      return {
        open: [...refused, ...changes.filter((change) => stageOf(change) > stage)].map(({ step }) => step),
        repaired,
        trouble,
      } satisfies Carried as Carried
  }
  tools.forbidden.delete(customerId)
  return { open: [], repaired, trouble: undefined } satisfies Carried as Carried
})
