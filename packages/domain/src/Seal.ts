/**
 * Secrets of a pod, encrypted to the operator's public key (age, X25519), so that control can seal and never open.
 * Invariant: an opened text names its customer, purpose and version; anything that differs from what was asked for is
 * refused, so an envelope can't move between customers or go back in time.
 */
import * as Age from "age-encryption"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { CustomerId } from "./Ids.ts"
import { type Sealed, SecretPurpose } from "./Jobs.ts"

/** The envelope cannot be opened, or is not the one that was asked for. `reason` holds nothing of the secret. */
export class SealBroken extends Schema.TaggedError<SealBroken>()("SealBroken", {
  customerId: CustomerId,
  purpose: SecretPurpose,
  reason: Schema.Literals(["unreadable", "otherCustomer", "otherPurpose", "otherVersion"]),
}) {}

const Content = Schema.fromJsonString(
  Schema.Struct({ customerId: CustomerId, purpose: SecretPurpose, version: Schema.Int, value: Schema.String }),
)

export interface SecretName {
  readonly customerId: CustomerId
  readonly purpose: SecretPurpose
  readonly version: number
}

/** Control's half: knows the public key alone. */
export class Sealer extends Context.Service<
  Sealer,
  { seal(name: SecretName, value: Redacted.Redacted<string>): Effect.Effect<Sealed> }
>()("@berth/domain/Sealer") {
  /** `recipient` is an age public key, `age1…`. */
  static readonly layer = (recipient: string): Layer.Layer<Sealer> =>
    Layer.succeed(Sealer)({
      seal: Effect.fn("Sealer.seal")(function* (name, value) {
        const text = yield* Schema.encodeEffect(Content)({ ...name, value: Redacted.value(value) }).pipe(Effect.orDie)
        const encrypter = new Age.Encrypter()
        encrypter.addRecipient(recipient)
        const bytes = yield* Effect.promise(() => encrypter.encrypt(text))
        return { purpose: name.purpose, version: name.version, envelope: Buffer.from(bytes).toString("base64") }
      }),
    })
}

/** The operator's half: holds the identity, an ops secret that outlives the cluster. */
export class Opener extends Context.Service<
  Opener,
  { open(name: SecretName, sealed: Sealed): Effect.Effect<Redacted.Redacted<string>, SealBroken> }
>()("@berth/domain/Opener") {
  /** `identity` is an age secret key, `AGE-SECRET-KEY-1…`. */
  static readonly layer = (identity: Redacted.Redacted<string>): Layer.Layer<Opener> =>
    Layer.succeed(Opener)({
      open: Effect.fn("Opener.open")(function* (name, sealed) {
        const broken = (reason: SealBroken["reason"]) =>
          new SealBroken({ customerId: name.customerId, purpose: name.purpose, reason })
        const decrypter = new Age.Decrypter()
        decrypter.addIdentity(Redacted.value(identity))
        const text = yield* Effect.tryPromise({
          try: () => decrypter.decrypt(Buffer.from(sealed.envelope, "base64"), "text"),
          catch: () => broken("unreadable"),
        })
        const content = yield* Schema.decodeUnknownEffect(Content)(text).pipe(
          Effect.mapError(() => broken("unreadable")),
        )
        if (content.customerId !== name.customerId) return yield* broken("otherCustomer")
        if (content.purpose !== name.purpose || sealed.purpose !== name.purpose) return yield* broken("otherPurpose")
        if (content.version !== name.version) return yield* broken("otherVersion")
        return Redacted.make(content.value)
      }),
    })
}
