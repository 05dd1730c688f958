/** A running Berth for the demo: one that is there already, or one that the demo starts for itself and stops again. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import * as ChildProcess from "effect/process/ChildProcess"
import { ChildProcessSpawner } from "effect/process/ChildProcessSpawner"
import * as Schedule from "effect/Schedule"
import { StoryFailed } from "./Inbox.ts"

export const answers = (origin: string) =>
  HttpClient.get(`${origin}/openapi.json`).pipe(
    Effect.map(({ status }) => status === 200),
    Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.succeed(false) }),
    Effect.catch(() => Effect.succeed(false)),
  )

/** Waits until a Berth answers at this origin. */
export const awaitReady = Effect.fn("Instance.awaitReady")(function* (origin: string, within: Duration.Input) {
  yield* answers(origin).pipe(
    Effect.flatMap((yes) => (yes ? Effect.void : Effect.fail("not yet" as const))),
    Effect.retry({ schedule: Schedule.spaced("100 millis") }),
    Effect.timeoutOrElse({
      duration: within,
      orElse: () => Effect.fail(new StoryFailed({ message: `no Berth answers at ${origin}` })),
    }),
    Effect.mapError(() => new StoryFailed({ message: `no Berth answers at ${origin}` })),
  )
})

/** Starts `npm start`'s program with these variables added; stopped, drained, with the scope. */
export const start = Effect.fn("Instance.start")(function* (variables: Readonly<Record<string, string>>) {
  const spawner = yield* ChildProcessSpawner
  const program = new URL("../bin/berth.ts", import.meta.url).pathname
  return yield* spawner.spawn(
    ChildProcess.make("node", [program], {
      env: variables,
      extendEnv: true,
      stdout: "ignore",
      stderr: "inherit",
      forceKillAfter: "15 seconds",
    }),
  )
})
