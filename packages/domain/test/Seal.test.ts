import { assert, describe, it } from "@effect/vitest"
import * as Age from "age-encryption"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { CustomerId } from "../src/Ids.ts"
import { Opener, Sealer, type SecretName } from "../src/Seal.ts"

const ada: SecretName = { customerId: CustomerId.make("ada"), purpose: "botToken", version: 3 }
const secret = "123456:the-bot-token"

const keys = Layer.unwrap(
  Effect.promise(async () => {
    const identity = await Age.generateIdentity()
    return Layer.merge(Sealer.layer(await Age.identityToRecipient(identity)), Opener.layer(Redacted.make(identity)))
  }),
)

const sealed = Sealer.use((sealer) => sealer.seal(ada, Redacted.make(secret)))
const reasonFor = (name: SecretName, change: { purpose?: SecretName["purpose"]; envelope?: string } = {}) =>
  Effect.gen(function* () {
    const opener = yield* Opener
    const broken = yield* Effect.flip(opener.open(name, { ...(yield* sealed), ...change }))
    assert.notInclude(JSON.stringify(broken), secret)
    return broken.reason
  }).pipe(Effect.provide(keys))

describe("Seal", () => {
  it.effect("opens what was sealed, under the same name, and shows nothing of it before", () =>
    Effect.gen(function* () {
      const envelope = yield* sealed
      assert.deepInclude(envelope, { purpose: "botToken", version: 3 })
      assert.notInclude(Buffer.from(envelope.envelope, "base64").toString("latin1"), secret)
      const opened = yield* Opener.use((opener) => opener.open(ada, envelope))
      assert.strictEqual(Redacted.value(opened), secret)
    }).pipe(Effect.provide(keys)),
  )

  it.effect("refuses an envelope of another customer, purpose or version", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* reasonFor({ ...ada, customerId: CustomerId.make("bob") }), "otherCustomer")
      assert.strictEqual(yield* reasonFor({ ...ada, purpose: "gatewayToken" }), "otherPurpose")
      assert.strictEqual(yield* reasonFor({ ...ada, version: 2 }), "otherVersion")
      assert.strictEqual(yield* reasonFor({ ...ada, version: 4 }), "otherVersion")
      assert.strictEqual(yield* reasonFor(ada, { purpose: "proxyToken" }), "otherPurpose")
    }),
  )

  it.effect("refuses what is no envelope, or one for another key", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* reasonFor(ada, { envelope: "bm8gZW52ZWxvcGU=" }), "unreadable")
      const { envelope } = yield* sealed.pipe(Effect.provide(Layer.fresh(keys)))
      assert.strictEqual(yield* reasonFor(ada, { envelope }), "unreadable")
    }),
  )
})
