/**
 * The WebSocket of a customer's events, kept open: it resumes after the last seq applied, waits longer after each failure,
 * and looks at once when the browser comes back online or into view. Knows nothing of React.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { CustomerEventJson, type CustomerEvent } from "../../api/Events.ts"
import { waitMs } from "./Backoff.ts"
import { connected, receive, start, type Journey, type UnknownEvent } from "./Journey.ts"

export type Link = "connecting" | "open" | "waiting"
export interface Live {
  readonly journey: Journey
  readonly link: Link
}

const decode = Schema.decodeUnknownResult(CustomerEventJson)
const decodePlace = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Struct({ seq: Schema.Int })))

/** A frame as an event; undefined for what has no place in the stream, such as a heartbeat. */
const read = (frame: unknown): CustomerEvent | UnknownEvent | undefined => {
  const event = decode(frame)
  if (Result.isSuccess(event)) return event.success
  const place = decodePlace(frame)
  return Result.isSuccess(place) ? { _tag: "unknown", seq: place.success.seq } : undefined
}

/** A connection that was quiet for this long may be dead without the browser knowing, as after a sleep. */
const suspectAfterMs = 30_000

/** A connection that lasted so long was a good one: its end is no reason to wait longer. */
const stableMs = 5_000

/** Opens the stream; `changed` gets every new state. Returns how to close it. */
export const follow = (changed: (live: Live) => void): (() => void) => {
  let journey = start
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let failures = 0
  let openedAt = Number.POSITIVE_INFINITY
  let heardAt = 0
  let isClosed = false
  const tell = (link: Link) => changed({ journey, link })

  const connect = () => {
    clearTimeout(timer)
    journey = connected(journey)
    tell(failures === 0 ? "connecting" : "waiting")
    const url = new URL(`/api/events?after=${journey.seq}`, location.href)
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
    const mine = new WebSocket(url)
    socket = mine
    mine.addEventListener("open", () => {
      if (mine !== socket) return
      openedAt = Date.now()
      heardAt = openedAt
      tell("open")
    })
    mine.addEventListener("message", ({ data }) => {
      if (mine !== socket) return
      heardAt = Date.now()
      const event = read(data)
      if (event === undefined) return
      const received = receive(journey, event)
      if (received._tag === "Missing") return reconnect()
      journey = received.journey
      tell("open")
    })
    mine.addEventListener("close", () => {
      if (mine !== socket || isClosed) return
      failures = Date.now() - openedAt > stableMs ? 1 : failures + 1
      openedAt = Number.POSITIVE_INFINITY
      tell("waiting")
      timer = setTimeout(connect, waitMs(failures, Math.random()))
    })
  }
  const reconnect = () => {
    const old = socket
    socket = undefined
    old?.close()
    connect()
  }
  const look = () => {
    if (document.visibilityState !== "visible") return
    const isDown = socket?.readyState !== WebSocket.OPEN
    if (isDown || Date.now() - heardAt > suspectAfterMs) reconnect()
  }

  window.addEventListener("online", look)
  document.addEventListener("visibilitychange", look)
  connect()
  return () => {
    isClosed = true
    clearTimeout(timer)
    window.removeEventListener("online", look)
    document.removeEventListener("visibilitychange", look)
    socket?.close()
  }
}
