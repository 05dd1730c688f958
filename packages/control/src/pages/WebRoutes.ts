/**
 * Serves the built pages: their addresses, hashed assets that may be kept for ever, and the 404 page for any other address
 * that a person may have typed. Never answers for the APIs: an unknown path there stays a plain 404.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import {
  Headers,
  HttpMiddleware,
  HttpPlatform,
  HttpRouter,
  HttpServerRequest,
  HttpServerRespondable,
  HttpServerResponse,
  HttpStaticServer,
} from "effect/http"
import { pagePaths } from "../web/Paths.ts"

/** Nothing inline, nothing from elsewhere, in nobody's frame. The WebSocket of events is `'self'` as well. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join("; ")

export const securityHeaders = {
  "content-security-policy": policy,
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "strict-origin-when-cross-origin",
  "cross-origin-opener-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=()",
}

/** Where programs call. What they call wrongly must not look like a page. */
const programs = /^\/(?:api|webhooks|dev|docs|v1|provision|openapi\.json)(?:\/|$)/

const withHeaders = (cacheControl: string) => (response: HttpServerResponse.HttpServerResponse) =>
  HttpServerResponse.setHeaders(response, { ...securityHeaders, "cache-control": cacheControl })

const forEver = "public, max-age=31536000, immutable"
const conditions = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "range"]

/**
 * The pages of the bundle in this folder. Get the folder from `WebBundle.ensure` before the server exists: a server that
 * listens while the pages are still being built leaves its first requests without an answer.
 */
export const layer = (root: string) =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const platform = yield* HttpPlatform.HttpPlatform
      const files = yield* HttpStaticServer.make({ root })
      const served = (cacheControl: string) =>
        files.pipe(
          HttpMiddleware.compression(),
          Effect.provideService(HttpPlatform.HttpPlatform, platform),
          Effect.map(withHeaders(cacheControl)),
          Effect.catch((error) => Effect.map(HttpServerRespondable.toResponse(error), withHeaders("no-store"))),
        )
      const index = served("no-cache")
      // Always sent whole: its validators are size and time of the file, and both can be the same in two versions.
      const page = (request: HttpServerRequest.HttpServerRequest) =>
        index.pipe(
          Effect.provideService(
            HttpServerRequest.HttpServerRequest,
            request.modify({ url: "/index.html", headers: Headers.removeMany(request.headers, conditions) }),
          ),
          Effect.map(HttpServerResponse.removeHeader("etag")),
          Effect.map(HttpServerResponse.removeHeader("last-modified")),
        )

      yield* router.add("GET", "/assets/*", served(forEver))
      for (const path of pagePaths) yield* router.add("GET", path, page)
      yield* router.add("GET", "/*", (request) =>
        programs.test(request.url) || request.headers["accept"]?.includes("text/html") !== true
          ? Effect.succeed(HttpServerResponse.text("Not found\n", { status: 404 }))
          : Effect.map(page(request), HttpServerResponse.setStatus(404)),
      )
    }),
  )
