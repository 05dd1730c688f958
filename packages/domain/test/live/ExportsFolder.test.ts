import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ExportsFolder from "../../src/live/ExportsFolder.ts"
import { exportStoreContract } from "../../src/testing/contracts/ExportStoreContract.ts"

const layer = Layer.unwrap(
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-exports-"))),
      (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
    ),
    ExportsFolder.layer,
  ),
).pipe(Layer.provide(NodeServices.layer))

exportStoreContract("a folder", layer)
