/**
 * What runs in an export Job's pod of the memory cluster: the real exporter, on files that it is lent for the time. Of the
 * pods that serve it knows nothing.
 */
import { Destination } from "@berth/domain/Exports"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { PodFailed, type PodProcess, type RunningPod } from "../Cluster/Pods.ts"
import { agentPaths } from "../export/Layout.ts"
import { Outcome } from "../export/Outcome.ts"
import { exportVolume } from "../live/Exporter.ts"

const decodeDestination = Schema.decodeUnknownEffect(Schema.fromJsonString(Destination))
const encodeOutcome = Schema.encodeSync(Schema.fromJsonString(Outcome))

const failed = (message: string) =>
  new PodFailed({ reason: "Error", message: encodeOutcome({ _tag: "Failed", message }) })

/** The volume and the configuration as files of this machine, until the scope closes. */
const lend = Effect.fnUntraced(function* (pod: RunningPod) {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "berth-export-" })
  const volume = paths.join(folder, "volume")
  yield* fs.makeDirectory(volume)
  for (const [path, text] of pod.volumes[agentPaths.volume] ?? []) {
    const file = paths.join(volume, path)
    yield* fs.makeDirectory(paths.dirname(file), { recursive: true })
    yield* fs.writeFileString(file, text)
  }
  const config = pod.files[agentPaths.config]
  if (config === undefined) return { volume, config: undefined }
  yield* fs.writeFileString(paths.join(folder, "config"), config)
  return { volume, config: paths.join(folder, "config") }
})

const run = Effect.fn("Exporter.run")(function* (pod: RunningPod) {
  const { EXPORT_AGE_RECIPIENT: recipient, EXPORT_DESTINATION: destination, EXPORT_NAME: root } = pod.env
  if (recipient === undefined || destination === undefined || root === undefined)
    return yield* failed("its environment is incomplete")
  const parts = yield* decodeDestination(destination).pipe(Effect.mapError(() => failed("it has no destination")))
  const lent = yield* lend(pod).pipe(Effect.mapError(({ message }) => failed(message)))
  const written = yield* exportVolume({
    source: { ...lent, root, createdAt: new Date(yield* Clock.currentTimeMillis) },
    recipient,
    destination: Redacted.make(parts),
  }).pipe(Effect.mapError(({ message }) => failed(message)))
  return encodeOutcome({ _tag: "Written", ...written })
})

/** The process for `layerMemory({ process })`: pods that end export; what the others run is given. */
export const process = (serves: PodProcess): Effect.Effect<PodProcess, never, FileSystem.FileSystem | Path.Path> =>
  Effect.map(
    Effect.context<FileSystem.FileSystem | Path.Path>(),
    (context) => (pod, node) => (pod.ends ? Effect.provideContext(run(pod), context) : serves(pod, node)),
  )
