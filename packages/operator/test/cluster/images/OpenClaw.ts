/**
 * The real OpenClaw of npm on npm's Node: what a customer's pod runs. Install scripts are skipped; its first run, with write
 * access to its own folder, has finished what they would have done. Left out is what no program reads at run time.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { folder as installation, install, version } from "../../../../../scripts/openclaw/Install.ts"
import { assemble, type Image, layerOf } from "./Archive.ts"
import { cached, keyOf } from "./Cache.ts"
import { debian } from "./Debian.ts"
import { ImageFailed } from "./Failed.ts"
import { keep, kept } from "./Kept.ts"
import { node } from "./Layers.ts"

const name = "openclaw"

/** Maps and types of no use to a running program, and binaries for machines that this is not. */
const unread = ["*.map", "*.d.ts", "*.d.mts", "*.d.cts", "*-darwin-*", "*-win32-*", "*-musl", "*-musl-*"]

/** Where the operator's Deployment expects `openclaw.mjs`. */
export const workingDir = "/app/node_modules/openclaw"

export const agentConfig = {
  User: "10001:10001",
  Env: ["PATH=/usr/bin", "NODE_ENV=production"],
  WorkingDir: workingDir,
  Entrypoint: [],
}

/** Fetched and put together once, for several minutes; after that it costs nothing. */
export const openClawImage: Effect.Effect<Image, ImageFailed> = Effect.gen(function* () {
  const below = [yield* debian, yield* node]
  const key = keyOf(version, ...below.map(({ sha256 }) => sha256), JSON.stringify([unread, agentConfig]))
  const make = (folder: string) =>
    Effect.gen(function* () {
      yield* Effect.tryPromise({
        try: () => install((line) => process.stderr.write(`${line}\n`)),
        catch: (cause) => new ImageFailed({ image: name, message: String(cause) }),
      })
      const extra = [...unread.map((pattern) => `--exclude=${pattern}`), "--transform=flags=rSh;s,^,app/,"]
      const own = yield* layerOf({
        image: name,
        folder: installation,
        file: join(folder, "layer.tar"),
        members: ["node_modules"],
        extra,
      })
      keep(folder, yield* assemble({ name, folder, layers: [...below, own], config: agentConfig }))
    })
  return yield* kept(cached(name, key, make))
})
