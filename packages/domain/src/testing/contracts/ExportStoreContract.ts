/** What every `ExportStore` promises. Keys may be shared by tests, so customers are unique. */
import { createHash, randomBytes } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { type Exported, type ExportKey, ExportStore, keyOf, mostParts } from "../../Exports.ts"
import { CustomerId } from "../../Ids.ts"

/** Puts bytes as an exporter does: by the first part of a destination, with nothing else in hand. */
export const putAt = (place: string, bytes: Uint8Array): Promise<number> => {
  if (!place.startsWith("file:"))
    return fetch(place, { method: "PUT", body: new Uint8Array(bytes) }).then(({ status }) => status)
  mkdirSync(dirname(fileURLToPath(place)), { recursive: true })
  writeFileSync(fileURLToPath(place), bytes)
  return Promise.resolve(200)
}

export const exportedOf = (key: ExportKey, bytes: Uint8Array): Exported => ({
  key,
  size: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
})

const run = randomBytes(4).toString("hex")

export const exportStoreContract = (name: string, layer: Layer.Layer<ExportStore, unknown>) =>
  describe(`ExportStore on ${name}`, () => {
    let next = 1
    const keyOfNew = () => keyOf(CustomerId.make(`export-${run}-${next++}`), 7)

    const test = <E>(title: string, body: Effect.Effect<void, E, ExportStore>): void =>
      it.live(title, () => body.pipe(Effect.provide(layer), Effect.scoped))

    const put = Effect.fnUntraced(function* (key: ExportKey, bytes: Uint8Array) {
      const store = yield* ExportStore
      const { parts } = Redacted.value(yield* store.destination(key))
      assert.strictEqual(yield* Effect.promise(() => putAt(parts[0], bytes)), 200)
      return exportedOf(key, bytes)
    })

    const read = Effect.fnUntraced(function* (exported: Exported) {
      const chunks = yield* (yield* ExportStore).read(exported).pipe(Stream.runCollect)
      return Buffer.concat(chunks)
    })

    test(
      "holds what was put by the destination alone, and gives it back byte for byte",
      Effect.gen(function* () {
        const store = yield* ExportStore
        const bytes = randomBytes(2_000_000)
        const exported = yield* put(keyOfNew(), bytes)
        assert.isTrue(yield* store.holds(exported))
        assert.isTrue(bytes.equals(yield* read(exported)))
      }),
    )

    test(
      "keeps the newest of what was put at a key",
      Effect.gen(function* () {
        const key = keyOfNew()
        const first = yield* put(key, randomBytes(100))
        const bytes = randomBytes(200)
        const second = yield* put(key, bytes)
        const store = yield* ExportStore
        assert.isTrue(yield* store.holds(second))
        assert.isFalse(yield* store.holds(first), "it is another size")
        assert.isTrue(bytes.equals(yield* read(second)))
      }),
    )

    test(
      "says of what was never put, is of another size or is removed that it does not hold it",
      Effect.gen(function* () {
        const store = yield* ExportStore
        const bytes = randomBytes(100)
        const never = exportedOf(keyOfNew(), bytes)
        assert.isFalse(yield* store.holds(never))
        assert.strictEqual((yield* Effect.flip(read(never)))._tag, "ExportMissing")
        const exported = yield* put(keyOfNew(), bytes)
        assert.strictEqual((yield* Effect.flip(read({ ...exported, size: 101 })))._tag, "ExportMissing")
        yield* store.remove(exported)
        yield* store.remove(exported)
        assert.isFalse(yield* store.holds(exported))
        assert.strictEqual((yield* Effect.flip(read(exported)))._tag, "ExportMissing")
      }),
    )

    test(
      "removes one export and no other of the same customer",
      Effect.gen(function* () {
        const store = yield* ExportStore
        const customerId = CustomerId.make(`export-${run}-${next++}`)
        const one = yield* put(keyOf(customerId, 1), randomBytes(10))
        const other = yield* put(keyOf(customerId, 12), randomBytes(10))
        yield* store.remove(one)
        assert.deepStrictEqual([yield* store.holds(one), yield* store.holds(other)], [false, true])
      }),
    )

    test(
      "has a place of its own for each part",
      Effect.gen(function* () {
        const store = yield* ExportStore
        const { parts } = Redacted.value(yield* store.destination(keyOfNew()))
        assert.lengthOf(new Set(parts), mostParts)
      }),
    )
  })
