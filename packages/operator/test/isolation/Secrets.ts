/** No secret but the customer's own is anywhere in the pod: not in its environment, not in a file, not in another process. */
import { assert, type Vitest } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inside, type PodRef } from "../platform/Probe.ts"
import type { Handle } from "../cluster/Handle.ts"
import { Stage } from "./Stage.ts"

/** Reads every file that it may, but for the kernel's own trees, and every process' environment; prints where each needle is. */
const search = `
const { readdirSync, readFileSync, statSync } = require("node:fs")
const needles = JSON.parse(readFileSync(0, "utf8"))
const found = needles.map(() => [])
const look = (path) => {
  let content
  try { content = readFileSync(path) } catch { return }
  needles.forEach((needle, index) => { if (content.includes(needle)) found[index].push(path) })
}
let files = 0
const walk = (folder) => {
  let names
  try { names = readdirSync(folder + "/", { withFileTypes: true }) } catch { return }
  for (const entry of names) {
    const path = folder + "/" + entry.name
    if (entry.isDirectory() && !["/proc", "/sys", "/dev"].includes(path)) walk(path)
    else if (entry.isFile()) { files++; look(path) }
  }
}
walk("")
for (const pid of readdirSync("/proc").filter((name) => /^[0-9]+$/.test(name)))
  for (const file of ["environ", "cmdline"]) look("/proc/" + pid + "/" + file)
console.log(JSON.stringify({ files, found }))
`

const where = (cluster: Handle<never>, { container, namespace, pod }: PodRef, needles: ReadonlyArray<string>) =>
  Effect.map(
    cluster.kubectl(
      ["exec", "--stdin", `--namespace=${namespace}`, pod, `--container=${container}`, "--", "node", "-e", search],
      JSON.stringify(needles),
    ),
    (printed) =>
      JSON.parse(printed) as { readonly files: number; readonly found: ReadonlyArray<ReadonlyArray<string>> },
  )

/** Everything that may stand in the environment: ours, the image's, and what Kubernetes says of its own Service. */
const known = [
  /^(?:PATH|HOSTNAME|HOME|NODE_ENV|NODE_COMPILE_CACHE)$/,
  /^OPENCLAW_[A-Z_]+$/,
  /^(?:PROXY_TOKEN|TELEGRAM_BOT_TOKEN)$/,
  /^KUBERNETES_(?:SERVICE|PORT)[A-Z0-9_]*$/,
]

export const secretTests = (it: Vitest.MethodsNonLive<Stage>) => {
  it.effect("no secret of the platform or of another customer is in the pod, its own are", () =>
    Effect.gen(function* () {
      const { ada, bob, node, platform, world } = yield* Stage
      const own = Object.values(ada.secrets)
      const foreign = [...platform.secrets, ...Object.values(bob.secrets)]
      assert.isTrue(foreign.every((secret) => secret.length >= 12))
      const { files, found } = yield* where(node, world.inside, [...own, ...foreign])
      assert.isAbove(files, 100)
      for (const paths of found.slice(0, own.length)) assert.include(paths, "/proc/1/environ")
      assert.deepStrictEqual(found.slice(own.length).flat(), [])
    }),
  )

  it.effect("the environment holds nothing but what is known", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const list = "tr '\\0' '\\n' < /proc/1/environ | cut -d= -f1"
      const printed = yield* inside(node, world.inside, ["bash", "-c", list])
      const names = printed.trim().split("\n")
      assert.includeMembers(names, ["PROXY_TOKEN", "TELEGRAM_BOT_TOKEN", "OPENCLAW_GATEWAY_TOKEN"])
      assert.deepStrictEqual(
        names.filter((name) => !known.some((one) => one.test(name))),
        [],
      )
    }),
  )
}
