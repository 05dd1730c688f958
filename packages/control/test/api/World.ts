/** A customer-facing server on a real Postgres, on a port of its own, with a memory store and bus. */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { AgentInspection } from "@berth/domain/AgentInspection"
import { Allowance } from "@berth/domain/Allowance"
import { CustomerBus } from "@berth/domain/CustomerBus"
import * as AllowanceSourcePostgres from "@berth/domain/live/AllowanceSourcePostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { Work } from "@berth/domain/Work"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import * as Layer from "effect/Layer"
import { realTelegram, Site } from "../../src/api/Site.ts"
import { exportsWorld } from "../exports/World.ts"

export const database = Layer.unwrap(Effect.map(freshDatabase, (url) => Postgres.layer(url, 8)))

export const site = Site.layer(new URL("http://127.0.0.1:3000"), realTelegram)

/** What the routes of control need, on a real Postgres. */
export const stores = Layer.mergeAll(AllowanceSourcePostgres.layer, Work.layer).pipe(
  Layer.provideMerge(database),
  Layer.provideMerge(
    Layer.mergeAll(
      Allowance.layerMemory,
      CustomerBus.layerMemory,
      SecureRandom.layerWebCrypto,
      site,
      FetchHttpClient.layer,
      exportsWorld,
      AgentInspection.layerNone,
    ),
  ),
)

export const httpServer = NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })

export const serve = <A, E, R>(routes: Layer.Layer<A, E, R>) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(Layer.provideMerge(httpServer))

export const origin = Effect.map(HttpServer.HttpServer, ({ address }) => HttpServer.formatAddress(address))

export interface Asked {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Record<string, string>
}

/** A plain request, as any HTTP client makes it. */
export const ask = (path: string, { body, headers, method }: Asked = {}) =>
  Effect.flatMap(origin, (at) =>
    Effect.promise(async () => {
      const response = await fetch(at + path, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const json = text.startsWith("{") || text.startsWith("[") ? JSON.parse(text) : undefined
      return { status: response.status, json: json as any, text, cookie: response.headers.get("set-cookie") }
    }),
  )

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** A new account with a bearer. */
export const openSession = Effect.map(
  ask("/api/session", { body: { bearer: true } }),
  ({ json }) => json as { accountId: string; token: string },
)
