/**
 * Ends the calls in flight that ops have stopped; what is not admitted yet the store refuses by itself. Invariant: a call
 * that is stopped ends within a second, is settled for what was seen of it, and gives its place back, like any other. With
 * the store away the last word counts: nothing new is admitted then.
 */
import { stoppedBy, type Stopped, Switches } from "@berth/domain/Switches"
import type { Hold } from "@berth/domain/Allowance"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { CustomerStopped, type Refusal, TrafficStopped } from "./Errors.ts"
import { Settings } from "./Settings.ts"

const lookEvery = "500 millis"

export interface Stoppable {
  /** Ends it now; its client is told the refusal if it has heard nothing yet. */
  stop(refusal: Refusal): void
  /** Calls back when it is over. */
  whenOver(listener: () => void): void
}

/** Whose call it is, and of which model. */
export interface Subject {
  readonly customerId: Hold["customerId"]
  readonly model: string
}

type What = "all" | "model" | "customer"

/** What the client of a stopped call is told. `url` is where customers see more. PURE. */
export const stopRefusal = (what: What, url: string): Refusal =>
  what === "customer" ? new CustomerStopped({ url }) : new TrafficStopped({ what })

export class Stops extends Context.Service<
  Stops,
  {
    /** Stops the call as soon as ops stop what it is about, at once if they have. */
    watch(call: Stoppable, subject: Subject): void
  }
>()("@berth/proxy/Stops") {
  static readonly layer: Layer.Layer<Stops, never, Switches | Settings> = Layer.effect(
    Stops,
    Effect.gen(function* () {
      const switches = yield* Switches
      const { publicUrl } = yield* Settings
      const calls = new Map<Stoppable, Subject>()
      let stopped: Stopped = new Map()

      const obey = (call: Stoppable, subject: Subject) => {
        const what = stoppedBy(stopped, subject)
        if (what !== undefined) call.stop(stopRefusal(what, `${publicUrl}/usage`))
      }
      const look = Effect.matchEffect(switches.all, {
        onFailure: () => Effect.void,
        onSuccess: (found) =>
          Effect.sync(() => {
            stopped = found
            if (found.size > 0) for (const [call, subject] of calls) obey(call, subject)
          }),
      })
      yield* look
      yield* Effect.forkScoped(Effect.repeat(look, Schedule.spaced(lookEvery)))

      return {
        watch: (call, subject) => {
          calls.set(call, subject)
          call.whenOver(() => calls.delete(call))
          obey(call, subject)
        },
      }
    }),
  )
}
