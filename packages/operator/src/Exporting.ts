/** Where the data of deleted agents goes, and to whom it is encrypted. */
import { ExportStore } from "@berth/domain/Exports"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class Exporting extends Context.Service<
  Exporting,
  {
    readonly store: ExportStore["Service"]
    /** An age public key, whose other half api alone holds. */
    readonly recipient: string
  }
>()("@berth/operator/Exporting") {
  static readonly layer = (recipient: string): Layer.Layer<Exporting, never, ExportStore> =>
    Layer.effect(
      Exporting,
      Effect.map(ExportStore, (store) => ({ store, recipient })),
    )
}
