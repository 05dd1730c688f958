/**
 * `GET /api/events?after=<seq>`: a WebSocket that sends the account's events after a seq and then follows. It listens
 * before it reads, and also looks every 5 s, so no event is lost; it sends in order of seq, each once. What it holds in
 * memory is one page of events; an account has at most 10 connections. It closes when the server drains.
 */
import { CustomerBus } from "@berth/domain/CustomerBus"
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { Caller } from "./Caller.ts"
import { CustomerEventJson } from "./Events.ts"

const connectionsPerAccount = 10
const encode = Schema.encodeEffect(CustomerEventJson)
const decodeAfter = Schema.decodeUnknownOption(
  Schema.NumberFromString.check(Schema.isInt(), Schema.isGreaterThanOrEqualTo(0)),
)

const problem = (status: number, _tag: string, message: string) =>
  HttpServerResponse.jsonUnsafe({ _tag, message }, { status })

/** One element for every reason to look, the first at once. Losing the bus only makes it slower. */
const reasonsToLook = (bus: CustomerBus["Service"], id: CustomerId) =>
  Stream.merge(
    bus.subscribe(id).pipe(Stream.retry(Schedule.spaced("2 seconds")), Stream.orDie),
    Stream.tick("5 seconds"),
  ).pipe(Stream.buffer({ capacity: 1, strategy: "sliding" }))

export const routes: Layer.Layer<never, never, HttpRouter.HttpRouter | Caller | CustomerEvents | CustomerBus> =
  HttpRouter.addAll(
    Effect.gen(function* () {
      const caller = yield* Caller
      const events = yield* CustomerEvents
      const bus = yield* CustomerBus
      const open = new Map<CustomerId, number>()

      /** Counts a connection for as long as the scope lasts; false if there are too many. */
      const admit = (id: CustomerId) =>
        Effect.acquireRelease(
          Effect.sync(() => {
            const count = open.get(id) ?? 0
            if (count >= connectionsPerAccount) return false
            open.set(id, count + 1)
            return true
          }),
          (isAdmitted) =>
            Effect.sync(() => {
              const left = (open.get(id) ?? 1) - (isAdmitted ? 1 : 0)
              if (left > 0) open.set(id, left)
              else open.delete(id)
            }),
        )

      const follow = Effect.fn("EventSocket.follow")(function* (
        id: CustomerId,
        after: number,
        request: HttpServerRequest.HttpServerRequest,
      ) {
        const socket = yield* request.upgrade
        const { pull } = yield* socket.reader
        const writer = yield* socket.writer
        let seq = after
        const send = Effect.gen(function* () {
          while (true) {
            const page = yield* events.after(id, seq)
            for (const event of page) {
              yield* writer.write(yield* encode(event))
              seq = event.seq
            }
            if (page.length < 100) return
          }
        })
        const following = reasonsToLook(bus, id).pipe(Stream.runForEach(() => send))
        // Proxies on the way drop what is quiet for a minute; a frame without a seq is a heartbeat.
        const heartbeat = Effect.forever(Effect.delay(writer.write(`{"_tag":"heartbeat"}`), "50 seconds"))
        // What a client sends is read and dropped, until it closes.
        const closed = Effect.forever(pull)
        yield* Effect.raceFirst(closed, Effect.all([following, heartbeat], { concurrency: 2, discard: true }))
      })

      const handler = Effect.gen(function* () {
        const request = yield* HttpServerRequest.HttpServerRequest
        const id = yield* caller.ofSocket(request)
        const after = decodeAfter(new URL(request.url, "http://localhost").searchParams.get("after") ?? "0")
        if (after._tag === "None") return problem(400, "BadRequest", "after is the seq of the last event seen.")
        if (request.headers["upgrade"]?.toLowerCase() !== "websocket") {
          return problem(426, "UpgradeRequired", "Connect with a WebSocket.")
        }
        if (!(yield* admit(id))) return problem(429, "TooManyConnections", "Close another connection first.")
        yield* follow(id, after.value, request).pipe(
          Effect.catchTag("SqlError", (error) => Effect.logWarning("events could not be read", error)),
          // The client left, or the network between.
          Effect.ignore,
        )
        return HttpServerResponse.empty()
      }).pipe(Effect.catchTag("Unauthorized", ({ message }) => Effect.succeed(problem(401, "Unauthorized", message))))

      return [HttpRouter.route("GET", "/api/events", handler)]
    }),
  )
