import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { locked } from "./Lock.ts"

const file = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-lock-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true })),
).pipe(Effect.map((folder) => join(folder, "lock")))

it.live("only one holds the lock, the next one is told that it waits, and has it when the first lets go", () =>
  Effect.gen(function* () {
    const place = yield* file
    const said: Array<string> = []
    const take = () => locked(place, "waits", (line) => said.push(line))
    const first = yield* Scope.make()
    yield* Scope.provide(take(), first)
    const second = yield* Effect.forkChild(Effect.scoped(take()))
    while (said.length === 0) yield* Effect.sleep("20 millis")
    assert.isUndefined(second.pollUnsafe())
    yield* Scope.close(first, Exit.void)
    yield* Fiber.join(second)
    assert.deepStrictEqual(said, ["waits"])
  }).pipe(Effect.scoped),
)

it.live("who waits for the lock can be called off", () =>
  Effect.gen(function* () {
    const place = yield* file
    yield* locked(place, "", () => {})
    const waiting = yield* Effect.forkChild(Effect.scoped(locked(place, "", () => {})))
    yield* Effect.sleep("100 millis")
    yield* Fiber.interrupt(waiting)
    assert.isDefined(waiting.pollUnsafe())
  }).pipe(Effect.scoped),
)
