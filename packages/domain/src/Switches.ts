/**
 * What ops have stopped: all upstream traffic, one model, or one customer. The admission step obeys them at once; every
 * proxy looks often and ends the calls in flight that are stopped. Lost with the store and put back from Postgres by
 * billing. On an unreachable store nothing is admitted anyway.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SwitchBoard } from "./Allowance/SwitchBoard.ts"
import type { StoreUnavailable } from "./Errors.ts"
import type { CustomerId } from "./Ids.ts"

export type SwitchName = "all" | `model:${string}` | `customer:${string}`

/** The reason of each switch that is thrown, by its name. */
export type Stopped = ReadonlyMap<SwitchName, string>

/** What a call is stopped by, the widest first; undefined if by nothing. Pure. */
export const stoppedBy = (
  stopped: Stopped,
  { model, customerId }: { readonly model: string; readonly customerId: CustomerId },
): "all" | "model" | "customer" | undefined => {
  if (stopped.has("all")) return "all"
  if (stopped.has(`model:${model}`)) return "model"
  return stopped.has(`customer:${customerId}`) ? "customer" : undefined
}

export class Switches extends Context.Service<
  Switches,
  {
    /** Stops what the name says. Once more only changes the reason, which is for ops alone. */
    stop(name: SwitchName, reason: string): Effect.Effect<void, StoreUnavailable>
    /** Lets it go on; nothing happens to what is not stopped. */
    resume(name: SwitchName): Effect.Effect<void, StoreUnavailable>
    readonly all: Effect.Effect<Stopped, StoreUnavailable>
  }
>()("@berth/domain/Switches") {
  /** Shares its switches with `Allowance.layerMemory`. */
  static readonly layerMemory: Layer.Layer<Switches> = Layer.effect(
    Switches,
    Effect.map(SwitchBoard, (board) => ({
      stop: Effect.fn("Switches.stop")((name: SwitchName, reason: string) =>
        Effect.sync(() => void board.set(name, reason)),
      ),
      resume: Effect.fn("Switches.resume")((name: SwitchName) => Effect.sync(() => void board.delete(name))),
      all: Effect.sync(() => new Map(board)),
    })),
  ).pipe(Layer.provide(SwitchBoard.layer))
}
