import { NodeFileSystem, NodeHttpServer, NodePath } from "@effect/platform-node"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import * as WebRoutes from "../../src/pages/WebRoutes.ts"

/** A bundle of two files, beside an api on the same router, as in the one process of `npm start`. */
const served = Layer.unwrap(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const root = yield* fs.makeTempDirectoryScoped()
    yield* fs.makeDirectory(`${root}/assets`)
    yield* fs.writeFileString(`${root}/index.html`, "<!doctype html><title>Berth</title>")
    yield* fs.writeFileString(`${root}/assets/main-abc.js`, `console.log(${JSON.stringify("x".repeat(5_000))})`)
    const api = HttpRouter.add("GET", "/api/agent", HttpServerResponse.text("agent"))
    return HttpRouter.serve(Layer.mergeAll(WebRoutes.layer(root), api), { disableLogger: true, disableListenLog: true })
  }),
).pipe(Layer.provideMerge(NodeHttpServer.layerTest), Layer.provide([NodeFileSystem.layer, NodePath.layer]))

const get = (path: string, headers: Record<string, string> = { accept: "text/html" }) =>
  Effect.gen(function* () {
    const response = yield* HttpClient.get(path, { headers })
    return { status: response.status, headers: response.headers, body: yield* response.text }
  })

layer(served)("WebRoutes", (it) => {
  it.effect("answers every page's address with the pages, never kept, and asks nobody's leave to embed them", () =>
    Effect.gen(function* () {
      for (const path of ["/", "/chat", "/usage", "/checkout/success?order=o", "/checkout/canceled"]) {
        const { status, headers, body } = yield* get(path)
        assert.strictEqual(status, 200, path)
        assert.include(body, "<title>Berth</title>")
        assert.strictEqual(headers["cache-control"], "no-cache")
        assert.notProperty(headers, "etag")
        assert.include(headers["content-security-policy"] ?? "", "frame-ancestors 'none'")
        assert.notInclude(headers["content-security-policy"] ?? "", "unsafe")
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
      }
    }),
  )

  it.effect("sends the pages whole even to who holds an older version with the same validators", () =>
    Effect.gen(function* () {
      const tomorrow = "Fri, 01 Jan 2100 00:00:00 GMT"
      const { status, body } = yield* get("/", {
        accept: "text/html",
        "if-none-match": "*",
        "if-modified-since": tomorrow,
      })
      assert.strictEqual(status, 200)
      assert.include(body, "<title>Berth</title>")
    }),
  )

  it.effect("lets hashed assets be kept for ever, compressed and revalidated", () =>
    Effect.gen(function* () {
      const { status, headers, body } = yield* get("/assets/main-abc.js", { "accept-encoding": "gzip" })
      assert.strictEqual(status, 200)
      assert.include(body, "xxx")
      assert.include(headers["cache-control"] ?? "", "immutable")
      assert.match(headers["content-type"] ?? "", /^text\/javascript/)
      assert.strictEqual(headers["content-encoding"], "gzip")
      const again = yield* get("/assets/main-abc.js", { "if-none-match": headers["etag"] ?? "" })
      assert.strictEqual(again.status, 304)
    }),
  )

  it.effect("says 404 to a person with a page, and to a program in one line", () =>
    Effect.gen(function* () {
      const person = yield* get("/nowhere")
      assert.strictEqual(person.status, 404)
      assert.include(person.body, "<title>Berth</title>")
      for (const path of ["/api/nowhere", "/webhooks/x", "/v1/models", "/dev/x", "/openapi.json"]) {
        const program = yield* get(path)
        assert.strictEqual(program.status, 404, path)
        assert.strictEqual(program.body, "Not found\n", path)
      }
      assert.strictEqual((yield* get("/nowhere", { accept: "*/*" })).body, "Not found\n")
      const asset = yield* get("/assets/gone.js")
      assert.strictEqual(asset.status, 404)
      assert.strictEqual(asset.headers["cache-control"], "no-store")
    }),
  )

  it.effect("leaves the api's own routes alone", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* get("/api/agent")).body, "agent")
    }),
  )

  it.effect("serves nothing from outside of the bundle", () =>
    Effect.gen(function* () {
      for (const path of ["/assets/..%2f..%2f..%2fetc%2fpasswd", "/assets/%2e%2e/%2e%2e/package.json"]) {
        const { body, status } = yield* get(path, { accept: "*/*" })
        assert.strictEqual(status, 404, path)
        assert.notInclude(body, "root:")
      }
    }),
  )
})
