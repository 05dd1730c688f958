/**
 * What an export Job runs: packs the volume at /data, encrypts it, puts it where it is told, and leaves what became of it
 * as the pod's termination message. Holds no credential but the few URLs that it may put to.
 */
import { existsSync } from "node:fs"
import { Destination, type Written } from "@berth/domain/Exports"
import { Refused, runMain } from "@berth/domain/Launch"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { agentPaths } from "../export/Layout.ts"
import { Outcome } from "../export/Outcome.ts"
import { exportVolume } from "../live/Exporter.ts"

const DestinationJson = Schema.fromJsonString(Destination)
const OutcomeJson = Schema.fromJsonString(Outcome)

const Main = Effect.gen(function* () {
  const destination = yield* Config.Redacted("EXPORT_DESTINATION")
  const parts = yield* Schema.decodeUnknownEffect(DestinationJson)(Redacted.value(destination)).pipe(
    Effect.mapError(() => new Refused({ message: "EXPORT_DESTINATION is not a destination" })),
  )
  const volume = yield* Config.String("EXPORT_VOLUME").pipe(Config.withDefault(agentPaths.volume))
  const config = yield* Config.String("EXPORT_CONFIG").pipe(Config.withDefault(agentPaths.config))
  const last = yield* Config.String("EXPORT_OUTCOME").pipe(Config.withDefault("/dev/termination-log"))
  const fs = yield* FileSystem.FileSystem
  const tell = (outcome: Outcome) =>
    Schema.encodeEffect(OutcomeJson)(outcome).pipe(
      Effect.tap(Console.log),
      Effect.flatMap((text) => fs.writeFileString(last, text)),
      Effect.orDie,
    )
  const written: Written = yield* exportVolume({
    source: {
      volume,
      config: existsSync(config) ? config : undefined,
      root: yield* Config.String("EXPORT_NAME"),
      createdAt: new Date(yield* Clock.currentTimeMillis),
    },
    recipient: yield* Config.String("EXPORT_AGE_RECIPIENT"),
    destination: Redacted.make(parts),
  }).pipe(
    Effect.tapError(({ message }) => tell({ _tag: "Failed", message })),
    Effect.mapError(({ message }) => new Refused({ message: `The export failed: ${message}.` })),
  )
  yield* tell({ _tag: "Written", ...written })
})

runMain(Main.pipe(Effect.provide(NodeServices.layer)))
