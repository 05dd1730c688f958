/**
 * What holds for every route of a router: a body is bounded before it is read, and a Postgres that does not answer is a 503
 * that may be tried again, not a broken service.
 */
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import { HttpIncomingMessage, HttpRouter, HttpServerResponse } from "effect/http"
import { isSqlError } from "effect/sql/SqlError"
import { StoreUnavailable } from "./Api.ts"

const largestBody = ByteSize.mebibytes(1)

const { _tag, message, store } = StoreUnavailable.of("postgres")
const unavailable = HttpServerResponse.jsonUnsafe(
  { _tag, store, message },
  { status: 503, headers: { "retry-after": "2" } },
)

export const guards = HttpRouter.middleware(
  (handler) =>
    handler.pipe(
      Effect.catchDefect((defect) =>
        isSqlError(defect)
          ? Effect.as(Effect.logError("Postgres failed a request", defect.reason._tag), unavailable)
          : Effect.die(defect),
      ),
      Effect.provideService(HttpIncomingMessage.MaxBodySize, largestBody),
    ),
  { global: true },
)
