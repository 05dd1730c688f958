/**
 * Carries jobs from the outbox to `operator:jobs`. A push closes nothing: an unreported row is pushed again after a minute.
 * An older generation's row is not pushed at all, because the newest one carries the whole state and has a row of its own.
 * While nobody takes jobs the line does not grow without end: a full one waits for its taker, as the rows do in Postgres.
 */
import type { CustomerId } from "@berth/domain/Ids"
import { Desired, Job, JobJson } from "@berth/domain/Jobs"
import { JobQueue } from "@berth/domain/JobQueue"
import { type Taken, Work } from "@berth/domain/Work"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import { Hopeless } from "../Worker.ts"
import { AgentSecrets } from "./AgentSecrets.ts"
import { JobRow } from "./JobOutbox.ts"

/** How long the operator has to report a job before it is pushed again. */
export const repushMillis = 60_000

/** Jobs in line beyond which nothing is pushed: some 20 MB in a Redis that the proxies need, and more than one look takes. */
export const longestLine = 5_000

const decodeRow = Schema.decodeUnknownEffect(JobRow)
const decodeDesired = Schema.decodeUnknownEffect(Desired)
const decodeJob = Schema.decodeUnknownEffect(Job)
const encodeJob = Schema.encodeEffect(JobJson)

interface Standing {
  readonly generation: number
  readonly desired: unknown
  readonly phase: string
}

/** What to do with a row, given the agent as it stands. */
export const decide = (row: JobRow, agent: Standing | undefined): "push" | "superseded" | "close" => {
  // One that was wanted again, too late to be kept, is deleted and yet to be built anew.
  if (agent === undefined || (agent.phase === "deleted" && Predicate.hasProperty(agent.desired, "deletion")))
    return "close"
  return row.generation < agent.generation ? "superseded" : "push"
}

const standingOf = Effect.fn("Relay.standingOf")(function* (customerId: CustomerId) {
  const sql = yield* SqlClient
  const rows = yield* sql<Standing>`SELECT generation, desired, phase FROM agents WHERE customer_id = ${customerId}`
  return rows[0]
})

/** Handles one row of the queue "jobs". */
export const relay = Effect.fn("Relay.relay")(function* (taken: Taken) {
  const work = yield* Work
  const row = yield* decodeRow(taken.payload).pipe(Effect.mapError((cause) => new Hopeless({ reason: cause.message })))
  const agent = yield* standingOf(row.customerId)
  const verdict = decide(row, agent)
  if (verdict === "close") return yield* work.done(taken.id)
  const queue = yield* JobQueue
  if (verdict === "push" && agent !== undefined && (yield* queue.depth).waiting < longestLine) {
    const secrets = yield* AgentSecrets
    const desired = yield* decodeDesired(agent.desired).pipe(Effect.orDie)
    const job = yield* decodeJob({
      v: 1,
      id: taken.id,
      reason: row.reason,
      customerId: row.customerId,
      generation: agent.generation,
      desired: agent.desired,
      sealed: yield* secrets.ofVersions(row.customerId, desired.secrets),
      enqueuedAt: yield* Clock.currentTimeMillis,
    }).pipe(Effect.orDie)
    if (taken.attempts >= 5)
      yield* Effect.logWarning("A job is still not reported", { id: taken.id, pushes: taken.attempts })
    yield* queue.push(yield* encodeJob(job).pipe(Effect.orDie))
  }
  yield* work.putOff(taken.id, (yield* Clock.currentTimeMillis) + repushMillis)
})
