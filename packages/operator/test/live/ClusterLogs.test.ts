/** How the end of a log is asked of kube-apiserver, and what its refusals mean. */
import type { IncomingMessage, ServerResponse } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { KubeConfig } from "@kubernetes/client-node"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Cluster } from "../../src/Cluster.ts"
import { layerOf } from "../../src/live/ClusterKubernetes.ts"
import { serve } from "../FakeServers.ts"

const asking = (
  answer: (query: URLSearchParams, response: ServerResponse) => void,
  options: { readonly lines?: number; readonly previous?: boolean } = {},
) =>
  Effect.gen(function* () {
    const asked: Array<URL> = []
    const origin = yield* serve((request: IncomingMessage, response) => {
      const url = new URL(request.url ?? "", "http://api")
      asked.push(url)
      answer(url.searchParams, response)
    })
    const config = new KubeConfig()
    config.loadFromClusterAndUser({ name: "test", server: origin, skipTLSVerify: true }, { name: "test", token: "t" })
    const pod = { namespace: "customer-ada", name: "openclaw-1" }
    const wanted = { container: "openclaw", lines: 101, previous: false, ...options }
    const result = yield* Cluster.use((cluster) => Effect.result(cluster.logs(pod, wanted))).pipe(
      Effect.provide(layerOf(config)),
    )
    return { asked, result }
  }).pipe(Effect.scoped)

const failure = (status: number, message: string) => (_: URLSearchParams, response: ServerResponse) => {
  response.writeHead(status, { "content-type": "application/json" })
  response.end(JSON.stringify({ kind: "Status", code: status, message }))
}

describe("the log of a pod", () => {
  it.live("is asked for with its times, no more lines than wanted, and bounded", () =>
    Effect.gen(function* () {
      const { asked, result } = yield* asking((_, response) => response.end("2026-11-30T12:00:00Z hello\n"))
      assert.deepStrictEqual(Result.isSuccess(result) ? result.success : undefined, "2026-11-30T12:00:00Z hello\n")
      assert.strictEqual(asked[0]?.pathname, "/api/v1/namespaces/customer-ada/pods/openclaw-1/log")
      assert.deepStrictEqual(Object.fromEntries(asked[0]?.searchParams ?? []), {
        container: "openclaw",
        tailLines: "101",
        limitBytes: "1048576",
        timestamps: "true",
      })
      const before = yield* asking((_, response) => response.end(""), { previous: true })
      assert.strictEqual(before.asked[0]?.searchParams.get("previous"), "true")
    }),
  )

  it.live("is asked for again with fewer lines when its newest were cut off", () =>
    Effect.gen(function* () {
      const line = `2026-11-30T12:00:00Z ${"x".repeat(16_000)}\n`
      const { asked, result } = yield* asking((query, response) =>
        response.end(line.repeat(Number(query.get("tailLines"))).slice(0, Number(query.get("limitBytes")))),
      )
      assert.deepStrictEqual(
        asked.map(({ searchParams }) => searchParams.get("tailLines")),
        ["101", "26"],
      )
      assert.isTrue(Result.isSuccess(result) && result.success.endsWith("\n"))
    }),
  )

  it.live("that there is not is told from one that can't be asked for", () =>
    Effect.gen(function* () {
      for (const [status, message, tag] of [
        [400, 'container "openclaw" in pod "openclaw-1" is waiting to start: PodInitializing', "Refused"],
        [404, "pods not found", "NotFound"],
        [403, "forbidden", "Refused"],
        [500, "dial tcp: no route to host", "ClusterUnavailable"],
      ] as const) {
        const { result } = yield* asking(failure(status, message))
        assert.strictEqual(Result.isFailure(result) ? result.failure._tag : "given", tag)
      }
    }),
  )
})
