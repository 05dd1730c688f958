/** `npm run migrate`: brings the schema of `DATABASE_URL`, or of the embedded Postgres, up to date, under a lock. */
import { runMain } from "@berth/domain/Launch"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Command } from "effect/cli"
import { migrate } from "@berth/domain/Migrations"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Stores from "./Stores.ts"

const run = Command.make(
  "migrate",
  {},
  Effect.fnUntraced(function* () {
    const done = yield* migrate.pipe(Effect.provide(yield* Stores.client))
    yield* Console.log(
      done.length === 0
        ? "The schema is up to date."
        : done.map(([number, name]) => `${String(number).padStart(4, "0")} ${name}`).join("\n"),
    )
  }),
).pipe(Command.withDescription("Brings the Postgres schema up to date; safe to run twice, or by two at once"))

runMain(Command.run(run, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer)))
