/** A store of exports in a folder of its own, a key that opens them, and links to them. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ExportOpener } from "@berth/domain/ExportOpener"
import * as ExportsFolder from "@berth/domain/live/ExportsFolder"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { ExportLinks } from "../../src/exports/ExportLinks.ts"

/** Made for the tests; opens nothing else. */
export const identity = "AGE-SECRET-KEY-1VZYRHCDSS6YTJ7GYZEK6K0EM9SZWTLQLJP56H99UESH6HYDW50ASSVSJMH"

export const linkKey = Redacted.make("export-link-key-of-the-tests")

const store = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-exports-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
    ),
    ExportsFolder.layer,
  ),
).pipe(Layer.provide(NodeServices.layer))

export const exportsWorld = Layer.mergeAll(
  store,
  ExportOpener.layer(Redacted.make(identity)),
  ExportLinks.layer("http://berth.test", linkKey),
)
