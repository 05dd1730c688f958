import { NodeServices } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { gzipSync } from "node:zlib"
import * as WebBundle from "../../src/pages/WebBundle.ts"

/** What the landing page may cost before anyone talks: bytes of script, gzipped. */
const landingBudget = 105_000

layer(NodeServices.layer)("WebBundle", (it) => {
  it.effect(
    "is built once for the same sources",
    () =>
      Effect.gen(function* () {
        yield* WebBundle.ensure
        const again = yield* WebBundle.ensure
        assert.isUndefined(again.builtInMs)
      }),
    60_000,
  )

  it.effect(
    "has nothing inline that the policy would block, and a landing page that stays light",
    () =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const { root } = yield* WebBundle.ensure
        const index = yield* fs.readFileString(`${root}/index.html`)
        assert.notMatch(index, /<script(?![^>]*\bsrc=)|<style|\son\w+=|style=/)
        const scripts = [...index.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/g)].map(([, path]) => path ?? "")
        assert.isNotEmpty(scripts)
        const sizes = yield* Effect.forEach(scripts, (path) => fs.readFile(`${root}${path}`))
        const bytes = sizes.reduce((sum, script) => sum + gzipSync(script).length, 0)
        assert.isBelow(bytes, landingBudget)
      }),
    60_000,
  )
})
