/** Opens exports while they stream by. Only api holds the key. What is altered or cut short fails and never looks whole. */
import * as Age from "age-encryption"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** Not what was exported, or not encrypted to this key. */
export class ExportBroken extends Schema.TaggedError<ExportBroken>()("ExportBroken", { cause: Schema.Defect() }) {}

export class ExportOpener extends Context.Service<
  ExportOpener,
  {
    /** `size` of the stored bytes gives the size of what they hold. What is not read by the end of the scope is let go. */
    open<E>(
      stored: Stream.Stream<Uint8Array, E>,
      size: number,
    ): Effect.Effect<
      { readonly size: number; readonly bytes: Stream.Stream<Uint8Array, ExportBroken> },
      ExportBroken,
      Scope.Scope
    >
  }
>()("@berth/domain/ExportOpener") {
  /** `identity` is an age secret key, `AGE-SECRET-KEY-1…`. */
  static readonly layer = (identity: Redacted.Redacted<string>): Layer.Layer<ExportOpener> =>
    Layer.succeed(ExportOpener)({
      open: Effect.fn("ExportOpener.open")(function* (stored, size) {
        const broken = (cause: unknown) => new ExportBroken({ cause })
        const decrypter = new Age.Decrypter()
        decrypter.addIdentity(Redacted.value(identity))
        const opened = yield* Effect.acquireRelease(
          Effect.tryPromise({ try: () => decrypter.decrypt(Stream.toReadableStream(stored)), catch: broken }),
          // Whoever reads it has it locked, and cancels it when they leave.
          (one) => (one.locked ? Effect.void : Effect.ignore(Effect.tryPromise(() => one.cancel()))),
        )
        return {
          size: opened.size(size),
          bytes: Stream.fromReadableStream<Uint8Array, ExportBroken>({ evaluate: () => opened, onError: broken }),
        }
      }),
    })
}
