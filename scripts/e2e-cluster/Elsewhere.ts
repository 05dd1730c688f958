/** An OpenClaw of the customer's own, somewhere else: takes their export as a backup of its own. */
import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { StoryFailed } from "@berth/control/demo/Inbox"
import * as Effect from "effect/Effect"
import type { RealNode } from "../../packages/operator/test/cluster/RealNode.ts"
import * as Objects from "../../packages/operator/test/platform/PlatformObjects.ts"

const namespace = "elsewhere"
const place = "/elsewhere"

const pod = (image: string, folder: string) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "openclaw", namespace },
  spec: {
    restartPolicy: "Never",
    containers: [
      {
        name: "openclaw",
        image,
        imagePullPolicy: "Never",
        command: ["sh", "-ec"],
        args: [
          `node openclaw.mjs backup verify ${place}/export.tar.gz\n` +
            `node openclaw.mjs backup restore ${place}/export.tar.gz --target ${place}/restored`,
        ],
        env: ["HOME", "TMPDIR"].map((name) => ({ name, value: place })),
        volumeMounts: [{ name: "here", mountPath: place }],
      },
    ],
    volumes: [{ name: "here", hostPath: { path: folder } }],
  },
})

/** All that OpenClaw restored of an export, as one text. Fails with what it says if it refuses it. */
export const restored = Effect.fn("Elsewhere.restored")(function* (
  node: RealNode["Service"],
  image: string,
  archive: Uint8Array,
) {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => {
      const made = join(node.folder, namespace)
      mkdirSync(made)
      chmodSync(made, 0o777)
      writeFileSync(join(made, "export.tar.gz"), archive)
      return made
    }),
    (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true })),
  )
  const path = `/api/v1/namespaces/${namespace}/pods/openclaw`
  yield* node.api.apply(`/api/v1/namespaces/${namespace}`, Objects.namespace(namespace))
  yield* node.api.until(`/api/v1/namespaces/${namespace}/serviceaccounts/default`, (one) => one !== undefined)
  yield* node.api.apply(path, pod(image, folder))
  const ended = yield* node.api.until(path, (one) => ["Succeeded", "Failed"].includes(one?.status?.phase), 180)
  if (ended.status.phase === "Failed")
    return yield* new StoryFailed({ message: yield* node.kubectl(["logs", "openclaw", `--namespace=${namespace}`]) })
  yield* node.api.remove(`/api/v1/namespaces/${namespace}`)
  return execFileSync("cat", filesBelow(join(folder, "restored")), { encoding: "latin1", maxBuffer: 1 << 30 })
}, Effect.scoped)

const filesBelow = (folder: string): ReadonlyArray<string> =>
  execFileSync("find", [folder, "-type", "f"], { encoding: "utf8" }).trim().split("\n")
