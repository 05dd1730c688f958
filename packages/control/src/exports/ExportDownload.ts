/**
 * `GET /api/exports/<link>`: one export, opened while it streams by. Whoever has the link may fetch it, and nothing else, as
 * long as the link and the export last. So many at once, since each takes a core while it runs; one that stands still is cut
 * off, whether its reader or the store keeps it waiting, and gives its place back.
 */
import type { ServerResponse } from "node:http"
import { ExportOpener } from "@berth/domain/ExportOpener"
import { ExportStore } from "@berth/domain/Exports"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { ExportLinks, path } from "./ExportLinks.ts"
import { Exports, type StandingExport } from "./Exports.ts"

const atOnce = 8
const atOnceOfOne = 2

/** A download of which nothing moves for so long stands still. */
export const Stall = Context.Reference<Duration.Input>("@berth/control/ExportDownload/Stall", {
  defaultValue: () => "1 minute",
})

const problem = (status: number, _tag: string, message: string, headers: Record<string, string> = {}) =>
  HttpServerResponse.jsonUnsafe({ _tag, message }, { status, headers: { ...headers, "cache-control": "no-store" } })

const unknown = problem(404, "NotFound", "This link leads to no export. Copy it whole, as it stands in the mail.")
const over = problem(410, "Gone", "This link has ended, and the export is deleted: it was kept for 30 days.")
const busy = problem(429, "TooManyDownloads", "Too many downloads at once. Try again in a minute.", {
  "retry-after": "60",
})
const away = problem(503, "StoreUnavailable", "Berth can't reach its storage. Try again in a moment.", {
  "retry-after": "10",
})

const nameOf = ({ customerId, exportedAt }: StandingExport): string =>
  `openclaw-${customerId}-${DateTime.formatIsoDateUtc(DateTime.makeUnsafe(exportedAt))}.tar.gz`

export const routes: Layer.Layer<
  never,
  never,
  HttpRouter.HttpRouter | ExportLinks | Exports | ExportStore | ExportOpener
> = HttpRouter.addAll(
  Effect.gen(function* () {
    const links = yield* ExportLinks
    const exports = yield* Exports
    const store = yield* ExportStore
    const opener = yield* ExportOpener
    const stallMillis = Duration.toMillis(yield* Stall)
    const open = new Map<string, number>()
    const total = () => [...open.values()].reduce((sum, one) => sum + one, 0)

    /** A place for a download; false if there is none. Whoever takes one gives it back. */
    const enter = (key: string): boolean => {
      const own = open.get(key) ?? 0
      if (own >= atOnceOfOne || total() >= atOnce) return false
      open.set(key, own + 1)
      return true
    }
    const leave = (key: string) =>
      Effect.sync(() => {
        const left = (open.get(key) ?? 1) - 1
        if (left > 0) open.set(key, left)
        else open.delete(key)
      })

    const send = Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest, found: StandingExport) {
      if (!enter(found.key)) return busy
      // The request ends when all is sent or the reader gone, or at once if it asked for the head alone.
      yield* Effect.addFinalizer(() => leave(found.key))
      // Without any progress in time the server closes the connection, as if the reader had.
      const response = NodeHttpServerRequest.toServerResponse(request) as ServerResponse
      response.setTimeout(stallMillis)
      return yield* opener.open(store.read(found), found.size).pipe(
        Effect.map(({ bytes, size }) =>
          HttpServerResponse.stream(bytes, {
            contentType: "application/gzip",
            contentLength: size,
            headers: {
              "content-disposition": `attachment; filename="${nameOf(found)}"`,
              "cache-control": "no-store",
              "referrer-policy": "no-referrer",
              "x-content-type-options": "nosniff",
            },
          }),
        ),
        Effect.catchTag("ExportBroken", (error) =>
          Effect.as(Effect.logError("an export can't be opened", { key: found.key, cause: error.cause }), away),
        ),
      )
    })

    const handler = Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const link = Option.getOrUndefined(links.read(request.url.slice(path.length + 1)))
      if (link === undefined) return unknown
      if (link.expiresAt <= (yield* Clock.currentTimeMillis)) return over
      const found = Option.getOrUndefined(yield* Effect.orDie(exports.find(link.customerId, link.generation)))
      return found === undefined ? over : yield* send(request, found)
    })
    return [HttpRouter.route("GET", `${path}/:link`, handler)]
  }),
)
