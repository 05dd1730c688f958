/** OpenClaw's stand-in for the tests of isolation: everything of the real image but OpenClaw, and the probe beside it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assemble, type Image } from "./Archive.ts"
import { cached, keyOf } from "./Cache.ts"
import { debian } from "./Debian.ts"
import type { ImageFailed } from "./Failed.ts"
import { keep, kept } from "./Kept.ts"
import { layerOfFiles, node } from "./Layers.ts"
import { agentConfig } from "./OpenClaw.ts"
import { probeBinary } from "./Static.ts"

const name = "stand-in"
const program = join(import.meta.dirname, "stand-in", "openclaw.mjs")

/** `probe-as-root` is the probe with the set-user-id bit, which must be worth nothing in a customer's pod. */
export const standInImage: Effect.Effect<Image, ImageFailed> = Effect.gen(function* () {
  const below = [yield* debian, yield* node]
  const probe = yield* probeBinary
  const files = [
    { from: program, to: `${agentConfig.WorkingDir.slice(1)}/openclaw.mjs`, mode: 0o644 },
    { from: probe, to: "usr/bin/probe", mode: 0o755 },
    { from: probe, to: "usr/bin/probe-as-root", mode: 0o4755 },
  ]
  const parts = [...below.map(({ sha256 }) => sha256), JSON.stringify(agentConfig)]
  const key = keyOf(...parts, ...files.map(({ from }) => readFileSync(from)))
  return yield* kept(
    cached(name, key, (folder) =>
      Effect.gen(function* () {
        const own = yield* layerOfFiles(name, folder, files)
        keep(folder, yield* assemble({ name, folder, layers: [...below, own], config: agentConfig }))
      }),
    ),
  )
})
