/** Exports on a real S3 server: the contract, and what a destination is good for. */
import { randomBytes } from "node:crypto"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { ExportStore, keyOf } from "../../src/Exports.ts"
import { CustomerId } from "../../src/Ids.ts"
import * as ExportsS3 from "../../src/live/ExportsS3.ts"
import { exportedOf, exportStoreContract, putAt } from "../../src/testing/contracts/ExportStoreContract.ts"
import { s3Binary } from "../../src/testing/S3Binary.ts"
import { startS3 } from "../../src/testing/S3Server.ts"

// The first run of a checkout builds the server.
beforeAll(() => Effect.runPromise(Effect.asVoid(s3Binary)), 900_000)

const at = (url: string) =>
  ExportsS3.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ EXPORT_URL: url }))))

const onServer = Layer.unwrap(Effect.map(startS3(), ({ url }) => at(Redacted.value(url))))

exportStoreContract("S3", onServer)

/** With this in the place of the bucket's name. */
const inPlace = (url: Redacted.Redacted<string>, change: (url: URL) => void) => {
  const changed = new URL(Redacted.value(url))
  change(changed)
  return at(changed.href)
}

describe("exports in S3", () => {
  const key = keyOf(CustomerId.make("ada"), 7)
  const bytes = randomBytes(1_000)

  it.live("stand below a prefix, where it is given, and are nobody's without a signature", () =>
    Effect.gen(function* () {
      const { open, url } = yield* startS3()
      const layer = inPlace(url, (place) => (place.pathname += "/berth/prod"))
      yield* Effect.gen(function* () {
        const store = yield* ExportStore
        const { parts } = Redacted.value(yield* store.destination(key))
        assert.include(parts[0], `/exports/berth/prod/${key}?`)
        yield* Effect.promise(() => putAt(parts[0], bytes))
        assert.isTrue(yield* store.holds(exportedOf(key, bytes)))
      }).pipe(Effect.provide(layer))
      for (const method of ["GET", "DELETE", "PUT"])
        assert.strictEqual(
          (yield* Effect.promise(() => fetch(`${open}/berth/prod/${key}`, { method }))).status,
          403,
          method,
        )
    }).pipe(Effect.scoped),
  )

  it.live("a destination puts its own objects and nothing else, and reads nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* startS3()
      yield* Effect.gen(function* () {
        const store = yield* ExportStore
        const { parts } = Redacted.value(yield* store.destination(key))
        const elsewhere = parts[0].replace("/ada/7.", "/bob/7.")
        assert.strictEqual(yield* Effect.promise(() => putAt(elsewhere, bytes)), 403)
        assert.strictEqual(yield* Effect.promise(() => putAt(parts[0], bytes)), 200)
        for (const method of ["GET", "DELETE", "HEAD"])
          assert.strictEqual((yield* Effect.promise(() => fetch(parts[0], { method }))).status, 403, method)
      }).pipe(Effect.provide(at(Redacted.value(url))))
    }).pipe(Effect.scoped),
  )

  it.effect("a destination ends after a day", () =>
    Effect.gen(function* () {
      const { url } = yield* startS3()
      const store = yield* Effect.provide(ExportStore, at(Redacted.value(url)))
      const status = Effect.gen(function* () {
        const { parts } = Redacted.value(yield* store.destination(key))
        return yield* Effect.promise(() => putAt(parts[0], bytes))
      })
      yield* TestClock.setTime(Date.now() - 23 * 3_600_000)
      assert.strictEqual(yield* status, 200)
      yield* TestClock.setTime(Date.now() - 25 * 3_600_000)
      assert.strictEqual(yield* status, 403)
    }).pipe(Effect.scoped),
  )

  it.live(
    "a wrong key, a bucket that is not there and a server that is away are told as such, without the address",
    () =>
      Effect.gen(function* () {
        const { url } = yield* startS3()
        const failing = [
          inPlace(url, (place) => (place.password = "wrong")),
          at("http://berth:hidden@127.0.0.1:1/exports"),
        ]
        for (const layer of failing) {
          const error = yield* ExportStore.use((store) => store.holds(exportedOf(key, bytes))).pipe(
            Effect.flip,
            Effect.provide(layer),
          )
          assert.strictEqual(error._tag, "ExportStoreUnavailable")
          assert.notMatch(JSON.stringify(error) + String(error), /Signature|hidden|wrong/)
        }
      }).pipe(Effect.scoped),
  )

  it.live("an EXPORT_URL that names no place ends the start with a line that hides it", () =>
    Effect.gen(function* () {
      for (const url of [
        "nonsense",
        "https://host/bucket",
        "https://id:secret@host",
        "ftp://id:secret@host/bucket",
        "https://id:%zz@host/b",
      ]) {
        const exit = yield* Effect.exit(Effect.scoped(Layer.build(at(url))))
        assert.isTrue(Exit.isFailure(exit), url)
        assert.include(String(exit), "EXPORT_URL must be")
        assert.notInclude(String(exit), "secret@")
      }
    }),
  )
})
