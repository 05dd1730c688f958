/** What goes over the wire to kube-apiserver, and how its answers are read, against a server that plays its part. */
import { assert, describe, it } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import { KubeConfig } from "@kubernetes/client-node"
import type { IncomingHttpHeaders, ServerResponse } from "node:http"
import { createSecureServer } from "node:http2"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import { Cluster } from "../../src/Cluster.ts"
import { networkPolicy } from "../../src/desired/NetworkPolicy.ts"
import { layerOf } from "../../src/live/ClusterKubernetes.ts"
import type { Manifest } from "../../src/Manifest.ts"
import { embedded } from "../../src/Settings.ts"
import { serve } from "../FakeServers.ts"

interface Asked {
  readonly method: string
  readonly path: string
  readonly query: Record<string, string>
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Runs a test against a server whose answers it gives. */
const against = <A, E>(
  answer: (asked: Asked, response: ServerResponse) => void,
  body: (cluster: Cluster["Service"], asked: ReadonlyArray<Asked>) => Effect.Effect<A, E>,
) =>
  Effect.gen(function* () {
    const asked: Array<Asked> = []
    const origin = yield* serve((request, response, text) => {
      const url = new URL(request.url ?? "", "http://api")
      const one = {
        method: request.method ?? "",
        path: url.pathname,
        query: Object.fromEntries(url.searchParams),
        headers: request.headers,
        body: text,
      }
      asked.push(one)
      answer(one, response)
    })
    const config = new KubeConfig()
    config.loadFromClusterAndUser(
      { name: "test", server: `${origin}/prefix`, skipTLSVerify: true },
      { name: "test", token: "operator-token" },
    )
    return yield* Cluster.use((cluster) => body(cluster, asked)).pipe(Effect.provide(layerOf(config)))
  }).pipe(Effect.scoped)

const policy: Manifest = networkPolicy(CustomerId.make("ada"), embedded)
const stored = (manifest: Manifest): Manifest => ({
  ...manifest,
  metadata: { ...manifest.metadata, resourceVersion: "7" },
})
const json = (response: ServerResponse, status: number, body: unknown) => {
  response.statusCode = status
  response.setHeader("content-type", "application/json")
  response.end(JSON.stringify(body))
}
const failure = (status: number, message: string) => (_: Asked, response: ServerResponse) =>
  json(response, status, { kind: "Status", status: "Failure", message, code: status })

const map: Manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "n" }, data: {} }

/** Of a server that nobody has to trust. */
const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEILIC+3s4ujWOw0VRNIWpzdmIebNXwIpXL+EOg4lRtc4V
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBNDCB56ADAgECAhQCR3OYaE14KxpbTL40ltvoit7lKzAFBgMrZXAwDzENMAsG
A1UEAwwEdGVzdDAgFw0yNjEyMDEwMjU5MjJaGA8yMTI2MTEwNzAyNTkyMlowDzEN
MAsGA1UEAwwEdGVzdDAqMAUGAytlcAMhAKmEiuiDuXD/II3h9flw8Ld9uH+//6q2
5HJYOH5MWNj+o1MwUTAdBgNVHQ4EFgQUhb2v6sskrEvb6QLTLB6OziFPQ+YwHwYD
VR0jBBgwFoAUhb2v6sskrEvb6QLTLB6OziFPQ+YwDwYDVR0TAQH/BAUwAwEB/zAF
BgMrZXADQQB54yb7K2jWjJ1IUt4XVFKiUFG4UApiePIrpXwGcvIVuXJYmt2BSp10
7aLPfgXwOTtfGl/jgWKtx0oeNL8JVmgA
-----END CERTIFICATE-----`,
}

describe("apply", () => {
  it.live("sends the built object as it is, by server-side apply, with the operator as its manager", () =>
    against(
      ({ body }, response) => json(response, 200, stored(JSON.parse(body) as Manifest)),
      (cluster, asked) =>
        Effect.gen(function* () {
          const object = yield* cluster.apply(policy)
          assert.strictEqual(object.metadata.resourceVersion, "7")
          const [one] = asked
          assert.strictEqual(one?.method, "PATCH")
          assert.strictEqual(
            one?.path,
            "/prefix/apis/networking.k8s.io/v1/namespaces/customer-ada/networkpolicies/openclaw",
          )
          assert.deepStrictEqual(one?.query, { fieldManager: "berth-operator", force: "true" })
          assert.strictEqual(one?.headers["content-type"], "application/apply-patch+yaml")
          assert.strictEqual(one?.headers.authorization, "Bearer operator-token")
          assert.deepStrictEqual(JSON.parse(one?.body ?? ""), policy)
        }),
    ),
  )

  it.live("fails when the server stored a rule less, or a rule more, than was meant", () =>
    Effect.gen(function* () {
      for (const egress of [[{}], []])
        yield* against(
          (_, response) => json(response, 200, stored({ ...policy, spec: { ...(policy.spec as object), egress } })),
          (cluster) =>
            Effect.gen(function* () {
              const result = yield* Effect.result(cluster.apply(policy))
              assert.isTrue(
                Result.isFailure(result) && result.failure._tag === "Refused" && result.failure.reason === "FieldLost",
              )
            }),
        )
    }),
  )

  const cases = [
    [404, "not found", "NotFound", undefined],
    [409, "Apply failed with 1 conflict", "Conflict", undefined],
    [422, "spec.replicas: Invalid value", "Refused", "Invalid"],
    [400, "strict decoding error", "Refused", "Invalid"],
    [403, 'pods "a" is forbidden: exceeded quota: q', "Refused", "Quota"],
    [403, 'pods "a" is forbidden: violates PodSecurity "restricted:latest"', "Refused", "PodSecurity"],
    [403, "unable to create new content in namespace n because it is being terminated", "Refused", "Terminating"],
    [403, "User cannot patch resource", "Refused", "Forbidden"],
    [403, 'services "a" is forbidden: status unknown for quota: q, resources: services', "Refused", "Forbidden"],
    [401, "Unauthorized", "ClusterUnavailable", undefined],
    [429, "too many requests", "ClusterUnavailable", undefined],
    [500, "etcdserver: request timed out", "ClusterUnavailable", undefined],
    [503, "shutting down", "ClusterUnavailable", undefined],
  ] as const
  for (const [status, message, tag, reason] of cases)
    it.live(`reads ${status} (${message}) as ${tag}${reason === undefined ? "" : ` ${reason}`}`, () =>
      against(failure(status, message), (cluster) =>
        Effect.gen(function* () {
          const result = yield* Effect.result(cluster.apply(map))
          assert.isTrue(Result.isFailure(result))
          if (!Result.isFailure(result)) return
          assert.strictEqual(result.failure._tag, tag)
          assert.strictEqual(result.failure._tag === "Refused" ? result.failure.reason : undefined, reason)
        }),
      ),
    )

  it.live("waits as long as it is told when the server has too much to do, and gives up after three tries", () => {
    const answers = (busy: number) => {
      let times = 0
      return (asked: Asked, response: ServerResponse) => {
        if (++times > busy) return json(response, 200, stored(JSON.parse(asked.body) as Manifest))
        response.setHeader("retry-after", "0")
        return failure(429, "too many requests")(asked, response)
      }
    }
    return Effect.gen(function* () {
      yield* against(answers(2), (cluster, asked) =>
        Effect.gen(function* () {
          yield* cluster.apply(map)
          assert.strictEqual(asked.length, 3)
        }),
      )
      yield* against(answers(3), (cluster, asked) =>
        Effect.gen(function* () {
          const result = yield* Effect.result(cluster.apply(map))
          assert.isTrue(Result.isFailure(result) && result.failure._tag === "ClusterUnavailable")
          assert.strictEqual(asked.length, 3)
        }),
      )
    })
  })

  it.live("says that the cluster is away when nobody listens, without a token in the error", () =>
    Effect.gen(function* () {
      const config = new KubeConfig()
      config.loadFromClusterAndUser(
        { name: "test", server: "http://127.0.0.1:1", skipTLSVerify: true },
        { name: "test", token: "operator-token" },
      )
      const result = yield* Cluster.use((cluster) => Effect.result(cluster.apply(map))).pipe(
        Effect.provide(layerOf(config)),
      )
      assert.isTrue(Result.isFailure(result) && result.failure._tag === "ClusterUnavailable")
      assert.notInclude(JSON.stringify(result), "operator-token")
    }),
  )
})

describe("a connection", () => {
  it.live("speaks HTTP/1.1 although the server offers HTTP/2 as well", () =>
    Effect.gen(function* () {
      const versions: Array<string> = []
      const server = createSecureServer({ ...selfSigned, allowHTTP1: true }, (request, response) => {
        versions.push(request.httpVersion)
        response.statusCode = 404
        response.end("{}")
      })
      const port = yield* Effect.acquireRelease(
        Effect.callback<number>((resume) => {
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed((server.address() as AddressInfo).port)))
        }),
        () => Effect.sync(() => server.close()),
      )
      const config = new KubeConfig()
      config.loadFromClusterAndUser(
        { name: "test", server: `https://127.0.0.1:${port}`, skipTLSVerify: true },
        { name: "test", token: "operator-token" },
      )
      yield* Cluster.use((cluster) => cluster.get({ kind: "Agent", name: "ada" })).pipe(Effect.provide(layerOf(config)))
      assert.deepStrictEqual(versions, ["1.1"])
    }).pipe(Effect.scoped),
  )

  it.effect("is closed when the rest of an answer does not come in 10 s, and reads no more of it", () => {
    const answers = { begun: 0, closed: 0 }
    return against(
      (_, response) => {
        answers.begun++
        const drip = setInterval(() => response.write(" "), 5)
        response.on("close", () => {
          clearInterval(drip)
          answers.closed++
        })
      },
      (cluster) =>
        Effect.gen(function* () {
          const until = (holds: () => boolean) =>
            Effect.promise(async () => {
              while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
            })
          const reading = yield* cluster
            .get({ kind: "Agent", name: "ada" })
            .pipe(Effect.result, Effect.forkChild({ startImmediately: true }))
          yield* until(() => answers.begun === 1)
          yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 50)))
          yield* TestClock.adjust("10 seconds")
          const result = yield* Fiber.join(reading)
          assert.isTrue(Result.isFailure(result) && result.failure._tag === "ClusterUnavailable")
          yield* until(() => answers.closed === 1)
        }),
    )
  })
})

describe("other calls", () => {
  it.live("reads a missing object as none", () =>
    against(failure(404, "not found"), (cluster) =>
      Effect.gen(function* () {
        assert.isTrue(Option.isNone(yield* cluster.get({ kind: "Agent", name: "ada" })))
      }),
    ),
  )

  it.live("lists every page, and gives items the kind that the server leaves out", () =>
    against(
      ({ query }, response) =>
        json(response, 200, {
          kind: "ConfigMapList",
          metadata:
            query.continue === undefined ? { resourceVersion: "9", continue: "next" } : { resourceVersion: "9" },
          items: [{ metadata: { name: query.continue ?? "first" } }],
        }),
      (cluster, asked) =>
        Effect.gen(function* () {
          const { items, resourceVersion } = yield* cluster.list("ConfigMap", {
            labels: { "berth.dev/customer": "", app: "x" },
          })
          assert.deepStrictEqual(
            items.map((item) => [item.kind, item.metadata.name]),
            [
              ["ConfigMap", "first"],
              ["ConfigMap", "next"],
            ],
          )
          assert.strictEqual(resourceVersion, "9")
          assert.strictEqual(asked[0]?.query.labelSelector, "berth.dev/customer,app=x")
          assert.strictEqual(asked[0]?.path, "/prefix/api/v1/configmaps")
        }),
    ),
  )

  it.live("writes an Agent's status through its own subresource", () =>
    against(
      ({ body }, response) => json(response, 200, stored(JSON.parse(body) as Manifest)),
      (cluster, asked) =>
        Effect.gen(function* () {
          yield* cluster.patchStatus("ada", { phase: "active" })
          assert.strictEqual(asked[0]?.path, "/prefix/apis/berth.dev/v1alpha1/agents/ada/status")
          assert.deepStrictEqual(JSON.parse(asked[0]?.body ?? ""), {
            apiVersion: "berth.dev/v1alpha1",
            kind: "Agent",
            metadata: { name: "ada" },
            status: { phase: "active" },
          })
        }),
    ),
  )

  it.live("deletes only the object with the uid that was named", () =>
    against(
      (_, response) => json(response, 200, { kind: "Status", status: "Success" }),
      (cluster, asked) =>
        Effect.gen(function* () {
          yield* cluster.remove({ kind: "Namespace", name: "customer-ada" }, { uid: "u-1" })
          assert.strictEqual(asked[0]?.method, "DELETE")
          assert.deepStrictEqual((JSON.parse(asked[0]?.body ?? "") as { preconditions: unknown }).preconditions, {
            uid: "u-1",
          })
        }),
    ),
  )
})

describe("watch", () => {
  const line = (type: string, name: string, resourceVersion: string) =>
    `${JSON.stringify({ type, object: { kind: "Pod", apiVersion: "v1", metadata: { name, resourceVersion } } })}\n`

  it.live("reads lines however they are cut, and goes on from its last bookmark when the server closes", () => {
    let connection = 0
    return against(
      (_, response) => {
        connection++
        const text =
          connection === 1 ? line("ADDED", "ä", "11") + line("BOOKMARK", "", "20") : line("DELETED", "b", "21")
        const bytes = Buffer.from(text)
        // Cuts inside the two bytes of the letter, and inside a line.
        const cut = connection === 1 ? bytes.indexOf(0xc3) + 1 : 10
        response.write(bytes.subarray(0, cut))
        setTimeout(() => {
          response.write(bytes.subarray(cut))
          if (connection === 1) response.end()
        }, 20)
      },
      (cluster, asked) =>
        Effect.gen(function* () {
          let signs = 0
          const events = yield* cluster.watch("Pod", {}, "10", () => signs++).pipe(Stream.take(2), Stream.runCollect)
          assert.strictEqual(signs, 3, "a bookmark is a sign of the server too")
          assert.deepStrictEqual(
            [...events].map(({ type, object }) => `${type} ${object.metadata.name}`),
            ["ADDED ä", "DELETED b"],
          )
          assert.deepStrictEqual(
            asked.map(({ query }) => query.resourceVersion),
            ["10", "20"],
          )
          assert.strictEqual(asked[0]?.query.allowWatchBookmarks, "true")
        }),
    )
  })

  it.live("asks to list again when its place is forgotten, by status or in the stream", () =>
    Effect.gen(function* () {
      const answers = [
        failure(410, "too old resource version"),
        (_: Asked, response: ServerResponse) =>
          response.end(
            `${JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, message: "too old" } })}\n`,
          ),
      ]
      for (const answer of answers)
        yield* against(answer, (cluster) =>
          Effect.gen(function* () {
            const result = yield* Effect.result(Stream.runDrain(cluster.watch("Pod", {}, "1")))
            assert.isTrue(Result.isFailure(result) && result.failure._tag === "Expired")
          }),
        )
    }),
  )

  it.effect("gives up a server that does not answer at all, after 10 s or as soon as it is no longer wanted", () => {
    let open = 0
    return against(
      (_, response) => {
        open++
        response.on("close", () => open--)
      },
      (cluster) =>
        Effect.gen(function* () {
          const reaches = (count: number) =>
            Effect.promise(async () => {
              while (open !== count) await new Promise((resolve) => setTimeout(resolve, 5))
            })
          const waits = cluster.watch("Pod", {}, "1").pipe(Stream.runDrain, Effect.result, Effect.forkChild)
          const first = yield* waits
          yield* reaches(1)
          yield* TestClock.adjust("10 seconds")
          const result = yield* Fiber.join(first)
          assert.isTrue(Result.isFailure(result) && result.failure._tag === "ClusterUnavailable")
          yield* reaches(0)
          const second = yield* waits
          yield* reaches(1)
          yield* Fiber.interrupt(second)
          yield* reaches(0)
        }),
    )
  })

  it.live("hangs up when it is no longer wanted", () => {
    let closed = false
    return against(
      (_, response) => {
        response.on("close", () => {
          closed = true
        })
        response.write(line("ADDED", "a", "2"))
      },
      (cluster) =>
        Effect.gen(function* () {
          const fiber = yield* cluster.watch("Pod", {}, "1").pipe(Stream.runDrain, Effect.forkChild)
          yield* Effect.sleep("100 millis")
          yield* Fiber.interrupt(fiber)
          yield* Effect.sleep("100 millis")
          assert.isTrue(closed)
        }),
    )
  })
})
