/** Layers that several images share, each in the cache with its digest, and the files that a layer is made of. */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { type Layer, layerOf } from "./Archive.ts"
import { cached, keyOf } from "./Cache.ts"
import type { ImageFailed } from "./Failed.ts"

export const layerFile = "layer.tar"

/** The layer that `make` leaves in the folder that it is given, as `layer.tar`. */
export const keptLayer = (
  name: string,
  key: string,
  make: (folder: string) => Effect.Effect<Layer, ImageFailed>,
): Effect.Effect<Layer, ImageFailed> =>
  Effect.map(
    cached(name, key, (folder) =>
      Effect.map(make(folder), ({ sha256, size }) => {
        for (const one of readdirSync(folder))
          if (one !== layerFile) rmSync(join(folder, one), { recursive: true, force: true })
        writeFileSync(join(folder, "layer.json"), JSON.stringify({ sha256, size }))
      }),
    ),
    (folder) => ({
      ...(JSON.parse(readFileSync(join(folder, "layer.json"), "utf8")) as Omit<Layer, "file">),
      file: join(folder, layerFile),
    }),
  )

export interface PlacedFile {
  /** On this machine. */
  readonly from: string
  /** In the image, without the leading slash. */
  readonly to: string
  readonly mode: number
}

/** A small layer of files, put in place below `folder`. */
export const layerOfFiles = (
  image: string,
  folder: string,
  files: ReadonlyArray<PlacedFile>,
): Effect.Effect<Layer, ImageFailed> =>
  Effect.suspend(() => {
    const root = join(folder, "files")
    for (const { from, mode, to } of files) {
      mkdirSync(dirname(join(root, to)), { recursive: true })
      copyFileSync(from, join(root, to))
      chmodSync(join(root, to), mode)
    }
    return layerOf({ image, folder: root, file: join(folder, layerFile) })
  })

/** The checkout. */
export const repository = join(import.meta.dirname, "../../../../..")
const nodeProgram = join(repository, "node_modules/node/bin/node")

/** The very Node that the repository runs on, from its npm package. */
export const node: Effect.Effect<Layer, ImageFailed> = Effect.suspend(() =>
  keptLayer("layer-node", keyOf(readFileSync(join(repository, "node_modules/node/package.json"))), (folder) =>
    layerOfFiles("node", folder, [{ from: nodeProgram, to: "usr/bin/node", mode: 0o755 }]),
  ),
)
