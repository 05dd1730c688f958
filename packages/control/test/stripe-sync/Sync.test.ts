import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { StripeAccount, StripeAccountFailed } from "../../src/stripe-sync/StripeAccount.ts"
import { sync, textOf } from "../../src/stripe-sync/Sync.ts"
import { apiVersion, nothing, wanted, wantedAt } from "./World.ts"

const account = StripeAccount.layerMemory(nothing, apiVersion)

const folder = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped())

/** An account whose portal can't be made, while it is told so. */
const failing = (at: string) =>
  Layer.effect(
    StripeAccount,
    Effect.map(StripeAccount, (real) => ({
      ...real,
      apply: (step: Parameters<typeof real.apply>[0]) =>
        step._tag === at ? Effect.fail(new StripeAccountFailed({ message: "no" })) : real.apply(step),
    })),
  )

const test = (name: string, body: Effect.Effect<void, unknown, FileSystem.FileSystem | StripeAccount>) =>
  it.live(name, () => body.pipe(Effect.provide([NodeServices.layer, account])))

test(
  "shows the plan and changes nothing; then applies it; a second run has nothing to do",
  Effect.gen(function* () {
    const secretFile = `${yield* folder}/secret`
    const shown = yield* sync(wanted, { apply: false, secretFile: undefined })
    assert.lengthOf(shown.steps, 12)
    assert.isFalse(shown.applied)
    assert.include(textOf(shown), "--apply does it")
    const done = yield* sync(wanted, { apply: true, secretFile })
    assert.deepEqual(
      done.steps.map(({ text }) => text),
      shown.steps.map(({ text }) => text),
    )
    const again = yield* sync(wanted, { apply: true, secretFile: undefined })
    assert.deepEqual(again.steps, [])
    assert.include(textOf(again), "nothing to do")
  }).pipe(Effect.scoped),
)

test(
  "a new endpoint's secret is in a file that its owner alone can read, and in nothing that is printed",
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const secretFile = `${yield* folder}/secret`
    const outcome = yield* sync(wanted, { apply: true, secretFile })
    const secret = (yield* fs.readFileString(secretFile)).trim()
    assert.match(secret, /^whsec_/)
    assert.strictEqual((yield* fs.stat(secretFile)).mode & 0o777, 0o600)
    assert.notInclude(textOf(outcome), secret)
    assert.notInclude(JSON.stringify(outcome), secret)
    assert.include(textOf(outcome), secretFile)
  }).pipe(Effect.scoped),
)

test(
  "without a file for the secret, or with one that exists, nothing at all is done",
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const taken = `${yield* folder}/secret`
    yield* fs.writeFileString(taken, "whsec_precious")
    for (const secretFile of [undefined, taken, `${taken}/below`]) {
      const error = yield* Effect.flip(sync(wanted, { apply: true, secretFile }))
      assert.include(error.message, "--secret-file")
    }
    assert.strictEqual(yield* fs.readFileString(taken), "whsec_precious")
    assert.deepEqual(yield* (yield* StripeAccount).found, nothing)
  }).pipe(Effect.scoped),
)

test(
  "a run that failed midway leaves no empty file, and the next one goes on",
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const secretFile = `${yield* folder}/secret`
    const broken = sync(wanted, { apply: true, secretFile }).pipe(Effect.provide(failing("CreatePortal")))
    assert.strictEqual((yield* Effect.flip(broken)).message, "no")
    assert.isFalse(yield* fs.exists(secretFile))
    const next = yield* sync(wanted, { apply: true, secretFile })
    assert.deepEqual(
      next.steps.map(({ step }) => step),
      ["CreatePortal", "CreateEndpoint"],
    )
    assert.isTrue(yield* fs.exists(secretFile))
  }).pipe(Effect.scoped),
)

test(
  "where Stripe can't reach us there is no endpoint, and no file is asked for",
  Effect.gen(function* () {
    const outcome = yield* sync(wantedAt("http://127.0.0.1:3000"), { apply: true, secretFile: undefined })
    assert.notInclude(
      outcome.steps.map(({ step }) => step),
      "CreateEndpoint",
    )
    assert.include(textOf(outcome), "stripe listen")
  }),
)
