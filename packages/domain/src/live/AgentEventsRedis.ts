/**
 * The stream `agent:events` in Redis, read by one consumer group under one consumer's name: whoever of two processes takes
 * an event, what it does not acknowledge in time goes to either. What is acknowledged is deleted.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type AgentEvent, AgentEventJson, AgentEvents, reclaimMillis } from "../AgentEvents.ts"
import type { StoreUnavailable } from "../Errors.ts"
import { type Connection, RedisClient } from "./RedisClient.ts"

const stream = "agent:events"
export const group = "control"
const consumer = "control"

/** 6.2 answers null in the place of an entry that was deleted. */
type Entry = readonly [id: string, fields: ReadonlyArray<string>] | null

const encode = Schema.encodeEffect(AgentEventJson)
const decode = Schema.decodeUnknownOption(AgentEventJson)

export const layer: Layer.Layer<AgentEvents, never, RedisClient> = Layer.effect(
  AgentEvents,
  Effect.gen(function* () {
    const redis = yield* RedisClient
    const blocking = yield* redis.connect(1_000)

    const acknowledge = (ids: ReadonlyArray<string>) =>
      ids.length === 0
        ? Effect.void
        : Effect.asVoid(
            redis.call("AgentEvents.acknowledge", (one) =>
              one
                .multi()
                .xack(stream, group, ...ids)
                .xdel(stream, ...ids)
                .exec(),
            ),
          )

    const readable = Effect.fnUntraced(function* (entries: ReadonlyArray<Entry>) {
      const delivered = []
      for (const entry of entries) {
        if (entry === null) continue
        const [id, fields] = entry
        const event = decode(fields[1])
        if (Option.isSome(event)) {
          delivered.push({ id, event: event.value })
          continue
        }
        // Written by a version that this one does not know: the next resync says what is true now.
        yield* Effect.logWarning("Dropped an agent event that can't be read", { id })
        yield* acknowledge([id])
      }
      return delivered
    })

    const take = Effect.fnUntraced(function* (max: number) {
      const [, unacknowledged] = yield* redis.call(
        "AgentEvents.take",
        (one) =>
          one.xautoclaim(stream, group, consumer, reclaimMillis, "0", "COUNT", max) as Promise<[string, Array<Entry>]>,
      )
      const again = yield* readable(unacknowledged)
      if (again.length > 0) return again
      const read = yield* blocking.call("AgentEvents.take", (one) =>
        one.xreadgroup("GROUP", group, consumer, "COUNT", max, "BLOCK", 1_000, "STREAMS", stream, ">"),
      )
      return yield* readable(entriesOf(read))
    })

    return AgentEvents.of({
      append: Effect.fn("AgentEvents.append")(function* (event: AgentEvent) {
        const text = yield* Effect.orDie(encode(event))
        yield* redis.call("AgentEvents.append", (one) => one.xadd(stream, "*", "event", text))
      }),
      take: Effect.fn("AgentEvents.take")((max: number) => withGroup(redis, take(max))),
      acknowledge: Effect.fn("AgentEvents.acknowledge")(acknowledge),
    })
  }),
)

/** The group is made when it turns out to be missing: at the first take, and after Redis was lost. */
const withGroup = <A>(redis: Pick<Connection, "call">, take: Effect.Effect<A, StoreUnavailable>) =>
  Effect.catchIf(
    take,
    ({ cause }) => cause instanceof Error && cause.message.startsWith("NOGROUP"),
    () =>
      redis
        .call("AgentEvents.take", (one) => one.xgroup("CREATE", stream, group, "0", "MKSTREAM").catch(unlessThere))
        .pipe(Effect.andThen(take)),
  )

/** Another process may have made it first. */
const unlessThere = (error: unknown): void => {
  if (!(error instanceof Error && error.message.startsWith("BUSYGROUP"))) throw error
}

const entriesOf = (read: unknown): ReadonlyArray<Entry> =>
  read === null ? [] : (read as ReadonlyArray<[string, ReadonlyArray<Entry>]>).flatMap(([, entries]) => entries)
