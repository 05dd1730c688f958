/**
 * Brings the export of an agent's data on: one Job after the other, until the store holds what one of them wrote. Every step
 * can be done again. What a Job says it wrote is believed only when the store holds as much.
 */
import { type Exported, keyOf } from "@berth/domain/Exports"
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import { customerLabel } from "./desired/Names.ts"
import { exporter, exportJob, exportSecret, generationLabel } from "./desired/ExportJob.ts"
import { hasEnded, pauseAfter, type Progress, progressOf } from "./export/Progress.ts"
import { refOf, type Stored } from "./Manifest.ts"
import * as Metrics from "./Metrics.ts"
import { soonMillis, type Tools } from "./Tools.ts"

export type Stand =
  | { readonly _tag: "Exported"; readonly exported: Exported }
  /** `failed` says for ops what goes wrong, if anything does. */
  | { readonly _tag: "Going"; readonly failed: string | undefined; readonly again: Duration.Duration }

/** Its Job's end is watched; this is for what no watch tells. */
const whileRunning = Duration.seconds(30)
const soon = Duration.millis(soonMillis)

const going = (failed?: string, again = whileRunning): Stand => ({ _tag: "Going", failed, again })

/** The Jobs that were made for a deletion; for any of them where no generation is given. */
const jobsOf = ({ cluster }: Tools, customerId: CustomerId, generation?: number) =>
  cluster
    .list("Job", {
      namespace: namespaceOf(customerId),
      labels: {
        [customerLabel]: customerId,
        "app.kubernetes.io/name": exporter,
        ...(generation === undefined ? {} : { [generationLabel]: String(generation) }),
      },
    })
    .pipe(Effect.map(({ items }) => items))

const remove = ({ cluster }: Tools, jobs: ReadonlyArray<Stored>) =>
  Effect.forEach(
    jobs,
    (job) =>
      cluster
        .remove(refOf(job), { uid: job.metadata.uid })
        .pipe(Effect.catchTag(["NotFound", "Conflict"], () => Effect.void)),
    { discard: true },
  )

const begin = Effect.fnUntraced(function* (tools: Tools, customerId: CustomerId, generation: number, attempt: number) {
  const { cluster, exporting, settings } = tools
  const destination = yield* exporting.store.destination(keyOf(customerId, generation))
  yield* cluster.apply(exportSecret(customerId, destination))
  const run = { customerId, generation, attempt, image: settings.exporterImage, recipient: exporting.recipient }
  yield* cluster.apply(exportJob(run))
  return going()
})

const count = (outcome: "written" | "failed") => Metric.update(Metric.withAttributes(Metrics.exports, { outcome }), 1)

const verified = Effect.fnUntraced(function* (
  { exporting }: Tools,
  customerId: CustomerId,
  generation: number,
  { written }: Extract<Progress, { _tag: "Written" }>,
) {
  const exported: Exported = { key: keyOf(customerId, generation), ...written }
  return (yield* exporting.store.holds(exported)) ? exported : undefined
})

/** Needs the agent's pod gone, its namespace and its claim in place. */
export const bringOn = Effect.fn("ExportRun.bringOn")(function* (
  tools: Tools,
  customerId: CustomerId,
  generation: number,
) {
  const jobs = yield* jobsOf(tools, customerId, generation)
  const pods = yield* tools.cluster.list("Pod", {
    namespace: namespaceOf(customerId),
    labels: { [customerLabel]: customerId, "app.kubernetes.io/name": exporter },
  })
  // Whose Job was deleted by hand goes on for a moment: two at once would write into each other's parts.
  const isAtWork = pods.items.some((pod) => !hasEnded(pod))
  const now = yield* Clock.currentTimeMillis
  const progress = progressOf(jobs, pods.items, now)
  const next = Effect.fnUntraced(function* (attempt: number, failedAt: number, why: string) {
    const due = failedAt + pauseAfter(attempt)
    if (now < due) return going(why, Duration.millis(due - now))
    if (isAtWork) return going(why, soon)
    yield* Effect.logError(`export ${attempt} of ${customerId} failed and is tried again: ${why}`)
    yield* count("failed")
    yield* remove(tools, jobs)
    yield* begin(tools, customerId, generation, attempt + 1)
    return going(why)
  })
  switch (progress._tag) {
    case "NotBegun":
      return isAtWork ? going(undefined, soon) : yield* begin(tools, customerId, generation, 1)
    case "Running":
      return going(progress.late ? "its pod does not start" : undefined)
    case "Failed":
      return yield* next(progress.attempt, progress.at, progress.why)
    case "Written": {
      const exported = yield* verified(tools, customerId, generation, progress)
      if (exported === undefined)
        return yield* next(progress.attempt, progress.at, "the store does not hold what was written")
      yield* count("written")
      return { _tag: "Exported", exported } satisfies Stand as Stand
    }
  }
})

/** The agent is kept after all: nobody exports it any more, and what was given to whoever did is taken back. */
export const abandon = Effect.fn("ExportRun.abandon")(function* (tools: Tools, customerId: CustomerId) {
  const jobs = yield* jobsOf(tools, customerId)
  if (jobs.length === 0) return
  yield* tools.cluster.apply(exportSecret(customerId, undefined))
  yield* remove(tools, jobs)
})
