/**
 * Container images as files, without a registry. A layer is a tar of a folder, its digest known because nothing in it
 * depends on when or by whom it was made. An image is an OCI archive, which `ctr images import` takes: the digest of its
 * manifest is ours, so it can be named `name@sha256:…` on a node that has never met a registry.
 */
import { createHash } from "node:crypto"
import { linkSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { run, runInto } from "./Command.ts"
import type { ImageFailed } from "./Failed.ts"

export interface Layer {
  readonly sha256: string
  readonly size: number
  readonly file: string
}

/** What a container of the image starts with unless its pod says otherwise. */
export interface ImageConfig {
  /** `uid:gid`. */
  readonly User: string
  readonly Env: ReadonlyArray<string>
  readonly WorkingDir: string
  readonly Entrypoint: ReadonlyArray<string>
}

export interface Image {
  /** `berth.test/<name>@sha256:<manifest>`. */
  readonly ref: string
  /** The same image by a tag. */
  readonly tag: string
  /** The OCI archive. */
  readonly tar: string
}

const architecture = process.arch === "x64" ? "amd64" : process.arch

/** Files of `folder` as a layer, written to `file`. `extra` are further arguments of tar. */
export const layerOf = (options: {
  readonly image: string
  readonly folder: string
  readonly file: string
  readonly members?: ReadonlyArray<string>
  readonly extra?: ReadonlyArray<string>
}): Effect.Effect<Layer, ImageFailed> => {
  const { extra = [], file, folder, image, members = ["."] } = options
  const fixed = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--format=gnu"]
  const args = ["-C", folder, ...fixed, ...extra, "-cf", "-", ...members]
  return Effect.map(runInto({ image, command: "tar", args }, file), (made) => ({ ...made, file }))
}

const digestOf = (text: string) => createHash("sha256").update(text).digest("hex")

/** Puts the archive together in `folder`, as `<name>.tar`. */
export const assemble = (options: {
  readonly name: string
  readonly folder: string
  readonly layers: ReadonlyArray<Layer>
  readonly config: ImageConfig
}): Effect.Effect<Image, ImageFailed> =>
  Effect.gen(function* () {
    const { config, folder, layers, name } = options
    const layout = join(folder, "layout")
    const blobs = join(layout, "blobs", "sha256")
    mkdirSync(blobs, { recursive: true })
    const blob = (mediaType: string, content: object) => {
      const text = JSON.stringify(content)
      const sha256 = digestOf(text)
      writeFileSync(join(blobs, sha256), text)
      return { mediaType, digest: `sha256:${sha256}`, size: Buffer.byteLength(text) }
    }
    for (const layer of layers) linkSync(layer.file, join(blobs, layer.sha256))
    const manifest = blob("application/vnd.oci.image.manifest.v1+json", {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      config: blob("application/vnd.oci.image.config.v1+json", {
        architecture,
        os: "linux",
        config,
        rootfs: { type: "layers", diff_ids: layers.map(({ sha256 }) => `sha256:${sha256}`) },
      }),
      layers: layers.map(({ sha256, size }) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar",
        digest: `sha256:${sha256}`,
        size,
      })),
    })
    const ref = `berth.test/${name}@${manifest.digest}`
    const tag = `berth.test/${name}:test`
    // Under this annotation containerd takes the name as it is, a digest too; one entry a name.
    const named = (image: string) => ({ ...manifest, annotations: { "io.containerd.image.name": image } })
    writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [named(ref), named(tag)] }))
    writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }))
    const tar = join(folder, `${name}.tar`)
    yield* run({ image: name, command: "tar", args: ["-C", layout, "-cf", tar, "oci-layout", "index.json", "blobs"] })
    rmSync(layout, { recursive: true })
    return { ref, tag, tar }
  })
