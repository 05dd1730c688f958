/**
 * Turns jobs into Agents: many in hand, settled by lane, of one customer in order. Invariant: a job is acknowledged only when
 * its Agent, or that of a newer job, is written, so a crash anywhere loses none; what was left in taken is returned on
 * gaining the lead. What can't be read, opened or accepted is buried with a reason that quotes nothing of it. While queue or
 * cluster are away, it waits and tries again.
 */
import type { CustomerId } from "@berth/domain/Ids"
import type { Job } from "@berth/domain/Jobs"
import { JobJson } from "@berth/domain/Jobs"
import { JobQueue, type RawJob } from "@berth/domain/JobQueue"
import { Opener } from "@berth/domain/Seal"
import * as Clock from "effect/Clock"
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
import * as JobsInHand from "./JobsInHand.ts"
import { at } from "./Manifest.ts"
import * as Metrics from "./Metrics.ts"
import { readRecord, recordManifest, tombstone } from "./Records.ts"
import { Reconciler } from "./Reconciler.ts"
import * as WorkQueue from "./WorkQueue.ts"

const formatIssue = SchemaIssue.makeFormatterStandardSchemaV1()

/** Where a job is unreadable, never what stands there: it may be a secret. */
const whereUnreadable = (error: Schema.SchemaError): string => {
  const places = formatIssue(error.issue).issues.map(({ path }) => `.${(path ?? []).map(String).join(".")}`)
  return `not a job: unreadable at ${[...new Set(places)].join(", ")}`
}

type Outcome = "accepted" | "ignored" | "buried"

/** So many jobs may be in hand; more stay on the list, where another operator would find them as well. */
const mostInHand = 2_000

export class JobIntake extends Context.Service<
  JobIntake,
  {
    /** Takes jobs until interrupted. Only while leading. */
    readonly run: Effect.Effect<never>
    /** Customers whose jobs wait, by lane. */
    readonly queue: Pick<WorkQueue.WorkQueue, "waiting" | "oldest">
  }
>()("@berth/operator/JobIntake") {
  static readonly layer = Layer.effect(
    JobIntake,
    Effect.gen(function* () {
      const queue = yield* JobQueue
      const cluster = yield* Cluster
      const opener = yield* Opener
      const reconciler = yield* Reconciler
      const inHand = JobsInHand.make()
      const customers = yield* WorkQueue.make(10_000)
      /** Since when the cluster has refused what a job asks for. */
      const refusedSince = new WeakMap<JobsInHand.Taken, number>()

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
      const settle = Effect.fn("JobIntake.settle")(function* (job: Job) {
        const { customerId } = job
        const [found, record, buried] = yield* Effect.all(
          [
            cluster.get({ kind: "Agent", name: customerId }),
            readRecord(cluster, customerId),
            tombstone(cluster, customerId),
          ],
          { concurrency: "unbounded" },
        )
        const agent = Option.getOrUndefined(found)
        const decision = decide(job, {
          agent: Number(at(agent, "spec", "generation") ?? 0),
          record: Option.match(record, { onNone: () => 0, onSome: ({ spec }) => spec.generation }),
          tombstone: buried,
        })
        if (decision._tag === "Accept")
          yield* accept(job, decision, {
            agent: agent?.metadata.resourceVersion,
            record: Option.getOrUndefined(record)?.resourceVersion,
          })
        return decision
      })

      const count = (outcome: Outcome) => Metric.update(Metric.withAttributes(Metrics.jobs, { outcome }), 1)
      const bury = Effect.fnUntraced(function* (raw: RawJob, reason: string) {
        yield* queue.bury(raw, reason)
        yield* count("buried")
        yield* Effect.logError("a job was buried; operator:jobs:dead says why")
      })

      /** Buries the newest of a customer's jobs; the one before it then counts. */
      const giveUp = Effect.fnUntraced(function* (customerId: CustomerId, taken: JobsInHand.Taken, reason: string) {
        yield* bury(taken.raw, reason)
        inHand.remove(customerId, taken)
        if (inHand.newest(customerId) !== undefined) customers.add(customerId, JobsInHand.laneOf(taken.job.reason))
      })

      const handle = Effect.fn("JobIntake.handle")(function* (customerId: CustomerId) {
        const taken = inHand.newest(customerId)
        if (taken === undefined) return undefined
        const { job } = taken
        const decision = yield* settle(job).pipe(
          Effect.catchTag("SealBroken", ({ purpose, reason }) =>
            Effect.succeed({ _tag: "Refuse", reason: `envelope of ${purpose}: ${reason}` } as const),
          ),
          Effect.catchTag("Refused", (error) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => {
              const since = refusedSince.get(taken) ?? now
              refusedSince.set(taken, since)
              return error.reason !== "Invalid" && now - since < refusedFor
                ? Effect.fail(error)
                : Effect.succeed({
                    _tag: "Refuse",
                    reason: `the cluster refuses ${error.object}: ${error.reason}`,
                  } as const)
            }),
          ),
        )
        if (decision._tag === "Refuse") {
          yield* giveUp(customerId, taken, decision.reason)
          return undefined
        }
        for (const one of inHand.upTo(customerId, job.generation)) {
          yield* queue.acknowledge(one.raw)
          inHand.remove(customerId, one)
          yield* count(one === taken && decision._tag === "Accept" ? "accepted" : "ignored")
        }
        yield* reconciler.look(customerId, {
          report: decision._tag === "Ignore" && decision.report,
          lane: JobsInHand.laneOf(job.reason),
        })
        return undefined
      })

      const receive = Effect.fnUntraced(function* (raw: RawJob) {
        const decoded = Schema.decodeUnknownResult(JobJson)(raw)
        if (Result.isFailure(decoded)) return yield* bury(raw, whereUnreadable(decoded.failure))
        const job = decoded.success
        inHand.add({ raw, job })
        customers.add(job.customerId, JobsInHand.laneOf(job.reason))
      })

      const take = Effect.gen(function* () {
        if (inHand.size() >= mostInHand) return yield* Effect.sleep("100 millis")
        const raw = yield* queue.take
        if (Option.isSome(raw)) yield* receive(raw.value).pipe(Effect.retry(patience))
      }).pipe(
        Effect.tapError((error) => Effect.logWarning("the job queue is away", error)),
        Effect.retry(patience),
        Effect.orDie,
      )
      const run = Effect.suspend(() => {
        // A leader that was one before has nothing of that time: it is all on the list again.
        inHand.clear()
        return queue.returnTaken.pipe(
          Effect.retry(patience),
          Effect.orDie,
          Effect.andThen(
            Effect.all([Effect.forever(take), customers.run((key) => handle(key as CustomerId))], {
              concurrency: "unbounded",
              discard: true,
            }),
          ),
          Effect.andThen(Effect.never),
        )
      })
      return JobIntake.of({ run, queue: customers })
    }),
  )
}

/**
 * A refusal may pass (an API server that has just started forbids everything) or be about one job alone. What is refused for
 * so long is buried: control pushes it again after a minute, as long as nothing is reported of it.
 */
const refusedFor = 30_000

/** For ever, up to 10 s apart. */
const patience = Schedule.min([Schedule.exponential("200 millis"), Schedule.spaced("10 seconds")]).pipe(
  Schedule.jittered,
)
