/** Prints what the operator reports, for one that runs alone: nobody else reads its events then. */
import { AgentEvents } from "@berth/domain/AgentEvents"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const layer: Layer.Layer<never, never, AgentEvents> = Layer.effectDiscard(
  Effect.gen(function* () {
    const events = yield* AgentEvents
    const tell = Effect.gen(function* () {
      const batch = yield* events.take(50)
      for (const { event } of batch) {
        const detail = "step" in event ? ` ${event.step}` : "message" in event ? `: ${event.message}` : ""
        yield* Console.log(`${event.customerId} (generation ${event.generation}) ${event._tag}${detail}`)
      }
      yield* events.acknowledge(batch.map(({ id }) => id))
    })
    yield* tell.pipe(Effect.forever, Effect.ignore, Effect.forkScoped)
  }),
)
