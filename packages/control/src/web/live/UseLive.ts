/** The event stream for React: one connection for all of the page, opened by its first reader and closed after its last. */
import { useSyncExternalStore } from "react"
import { cache } from "../client/Queries.ts"
import { follow, type Live } from "./EventStream.ts"
import { start, type Journey } from "./Journey.ts"

const idle: Live = { journey: start, link: "connecting" }
let live = idle
let close: (() => void) | undefined
let closing: ReturnType<typeof setTimeout> | undefined
let refreshing: ReturnType<typeof setTimeout> | undefined
const readers = new Set<() => void>()

/** A change of page takes the last reader away for a moment; that must not cost the connection. */
const lingerMs = 3_000

const turned = (before: Journey, after: Journey): boolean =>
  before.paidAt !== after.paidAt ||
  before.live !== after.live ||
  before.failure !== after.failure ||
  before.troubles !== after.troubles ||
  before.suspended !== after.suspended ||
  before.deleted !== after.deleted ||
  before.alert !== after.alert

const changed = (next: Live) => {
  // Order, agent and conversation changed with it. Once for a burst, as when a page resumes after a while.
  if (turned(live.journey, next.journey)) {
    clearTimeout(refreshing)
    refreshing = setTimeout(() => void cache.invalidateQueries(), 150)
  }
  live = next
  for (const reader of readers) reader()
}

const subscribe = (reader: () => void) => {
  readers.add(reader)
  clearTimeout(closing)
  close ??= follow(changed)
  return () => {
    readers.delete(reader)
    if (readers.size > 0) return
    closing = setTimeout(() => {
      close?.()
      close = undefined
      live = idle
    }, lingerMs)
  }
}
const never = () => () => undefined
const read = () => live

/** What is known so far. With `wanted` false nothing is opened: there may be no session yet. */
export const useLive = (wanted: boolean): Live => useSyncExternalStore(wanted ? subscribe : never, read)
