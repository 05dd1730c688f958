/**
 * Turns jobs into Agents, first in first out. Invariant: a job is acknowledged only when its Agent is written, so a crash
 * anywhere loses none; what was left in taken is returned on gaining the lead. What can't be read, opened or accepted is
 * buried with a reason that quotes nothing of it. While queue or cluster are away, it waits and tries again.
 */
import type { Job } from "@berth/domain/Jobs"
import { JobJson } from "@berth/domain/Jobs"
import { JobQueue, type RawJob } from "@berth/domain/JobQueue"
import { Opener } from "@berth/domain/Seal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import { agentManifest } from "./Agent.ts"
import { Cluster } from "./Cluster.ts"
import { type Decision, decide } from "./Intake.ts"
import { at } from "./Manifest.ts"
import { readRecord, recordManifest, tombstone } from "./Records.ts"
import { Reconciler } from "./Reconciler.ts"

const jobs = Metric.counter("berth_operator_jobs_total", { incremental: true })
const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** Where a job is unreadable, never what stands there: it may be a secret. */
const whereUnreadable = (error: Schema.SchemaError): string => {
  const places = formatIssue(error.issue).issues.map(({ path }) => `.${(path ?? []).map(String).join(".")}`)
  return `not a job: unreadable at ${[...new Set(places)].join(", ")}`
}

type Outcome = "accepted" | "ignored" | "buried"

export class JobIntake extends Context.Service<
  JobIntake,
  {
    /** Takes jobs until interrupted. Only while leading. */
    readonly run: Effect.Effect<never>
  }
>()("@berth/operator/JobIntake") {
  static readonly layer = Layer.effect(
    JobIntake,
    Effect.gen(function* () {
      const queue = yield* JobQueue
      const cluster = yield* Cluster
      const opener = yield* Opener
      const reconciler = yield* Reconciler

      const accept = Effect.fnUntraced(function* (
        { customerId }: Job,
        { spec, envelopes }: Extract<Decision, { _tag: "Accept" }>,
        standing: { readonly agent: string | undefined; readonly record: string | undefined },
      ) {
        const open = (purpose: keyof typeof envelopes) =>
          opener.open({ customerId, purpose, version: spec.secrets[purpose] }, envelopes[purpose])
        const secrets = {
          proxyToken: yield* open("proxyToken"),
          botToken: yield* open("botToken"),
          gatewayToken: yield* open("gatewayToken"),
        }
        yield* cluster.apply(recordManifest(customerId, spec, secrets, standing.record))
        yield* cluster.apply(
          agentManifest(customerId, spec, standing.agent === undefined ? {} : { at: standing.agent }),
        )
      })

      /** Decides on one taken job and writes what it asks for. Fails while the cluster can't take it. */
      const settle = Effect.fn("JobIntake.settle")(function* (raw: RawJob, job: Job) {
        const agent = Option.getOrUndefined(yield* cluster.get({ kind: "Agent", name: job.customerId }))
        const record = yield* readRecord(cluster, job.customerId)
        const decision = decide(job, {
          agent: Number(at(agent, "spec", "generation") ?? 0),
          record: Option.match(record, { onNone: () => 0, onSome: ({ spec }) => spec.generation }),
          tombstone: yield* tombstone(cluster, job.customerId),
        })
        if (decision._tag === "Refuse") {
          yield* queue.bury(raw, decision.reason)
          return "buried" satisfies Outcome as Outcome
        }
        if (decision._tag === "Accept")
          yield* accept(job, decision, {
            agent: agent?.metadata.resourceVersion,
            record: Option.getOrUndefined(record)?.resourceVersion,
          })
        yield* queue.acknowledge(raw)
        yield* reconciler.look(job.customerId, { report: decision._tag === "Ignore" && decision.report })
        return decision._tag === "Accept" ? "accepted" : "ignored"
      })

      const handle = Effect.fn("JobIntake.handle")(function* (raw: RawJob) {
        const decoded = Schema.decodeUnknownResult(JobJson)(raw)
        const bury = (reason: string) => queue.bury(raw, reason).pipe(Effect.as("buried" satisfies Outcome as Outcome))
        const outcome = Result.isFailure(decoded)
          ? bury(whereUnreadable(decoded.failure))
          : settle(raw, decoded.success).pipe(
              Effect.retry({ schedule: patience, times: fewTries, while: mayPass }),
              Effect.catchTag("SealBroken", ({ purpose, reason }) => bury(`envelope of ${purpose}: ${reason}`)),
              Effect.catchTag("Refused", ({ object, reason }) => bury(`the cluster refuses ${object}: ${reason}`)),
            )
        const done = yield* outcome.pipe(
          Effect.tapError((error) => Effect.logWarning("a job waits: it could not be settled", error)),
          Effect.retry(patience),
          Effect.orDie,
        )
        yield* Metric.update(Metric.withAttributes(jobs, { outcome: done }), 1)
        if (done === "buried") yield* Effect.logError("a job was buried; operator:jobs:dead says why")
      })

      const take = queue.take.pipe(
        Effect.tapError((error) => Effect.logWarning("the job queue is away", error)),
        Effect.retry(patience),
        Effect.orDie,
      )
      const run = queue.returnTaken.pipe(
        Effect.retry(patience),
        Effect.orDie,
        Effect.andThen(
          take.pipe(Effect.flatMap(Option.match({ onNone: () => Effect.void, onSome: handle })), Effect.forever),
        ),
      )
      return JobIntake.of({ run })
    }),
  )
}

/**
 * A refusal may be about one job alone, so the line does not wait for its end: control pushes a buried job again after a
 * minute, as long as nothing is reported of it.
 */
const fewTries = 5
const mayPass = (error: { readonly _tag: string; readonly reason?: string }) =>
  error._tag === "Refused" && error.reason !== "Invalid"

/** For ever, up to 10 s apart. */
const patience = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("10 seconds")]).pipe(
  Schedule.jittered,
)
