/** Images of a single static program and an empty temporary folder: the pod's pause, the cluster's DNS, the probe. */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { assemble, type Image, layerOf } from "./Archive.ts"
import { cached, keyOf } from "./Cache.ts"
import { run } from "./Command.ts"
import type { ImageFailed } from "./Failed.ts"
import { keep, kept } from "./Kept.ts"

export interface StaticOptions {
  readonly name: string
  /** The program on this machine. */
  readonly program: string
  /** `uid:gid` that it runs as unless the pod says otherwise. */
  readonly user?: string
}

/** The program is the image's entry point, `/<name>`. */
export const staticImage = ({
  name,
  program,
  user = "65532:65532",
}: StaticOptions): Effect.Effect<Image, ImageFailed> =>
  Effect.suspend(() =>
    kept(
      cached(name, keyOf(readFileSync(program), user, "and a temporary folder"), (folder) =>
        Effect.gen(function* () {
          const root = join(folder, "root")
          mkdirSync(root)
          copyFileSync(program, join(root, name))
          chmodSync(join(root, name), 0o755)
          mkdirSync(join(root, "tmp"))
          chmodSync(join(root, "tmp"), 0o1777)
          const layer = yield* layerOf({ image: name, folder: root, file: join(folder, "layer.tar") })
          const config = { User: user, Env: ["PATH=/"], WorkingDir: "/", Entrypoint: [`/${name}`] }
          keep(folder, yield* assemble({ name, folder, layers: [layer], config }))
        }),
      ),
    ),
  )

const probeSource = join(import.meta.dirname, "probe")

/** The probe's binary, built from `probe/` with Go's own library alone. */
export const probeBinary: Effect.Effect<string, ImageFailed> = Effect.suspend(() => {
  const files = readdirSync(probeSource).sort()
  const key = keyOf(...files.map((file) => readFileSync(join(probeSource, file))))
  const build = (folder: string) =>
    run({
      image: "probe",
      command: "go",
      args: ["build", "-trimpath", "-ldflags", "-s -w", "-o", join(folder, "probe"), "."],
      cwd: probeSource,
      env: { GO111MODULE: "off", CGO_ENABLED: "0" },
    })
  return Effect.map(cached("probe-binary", key, build), (folder) => join(folder, "probe"))
})

export const probeImage: Effect.Effect<Image, ImageFailed> = Effect.flatMap(probeBinary, (program) =>
  staticImage({ name: "probe", program }),
)
