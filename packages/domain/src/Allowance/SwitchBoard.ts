/** The switches in memory, shared by the memory layers of `Allowance`, which obeys them, and `Switches`, which sets them. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SwitchName } from "../Switches.ts"

export class SwitchBoard extends Context.Service<SwitchBoard, Map<SwitchName, string>>()(
  "@berth/domain/Allowance/SwitchBoard",
) {
  static readonly layer: Layer.Layer<SwitchBoard> = Layer.effect(
    SwitchBoard,
    Effect.sync(() => new Map()),
  )
}
