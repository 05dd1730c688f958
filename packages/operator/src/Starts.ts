/**
 * How many agents start at the same time, and how many namespaces go. A start takes 16 to 20 CPU-seconds, so too many at once
 * would make each of them slow and some of them fail their startup probe. Invariants: no more than `most` at once, but for
 * those that were under way when this process took over; whoever has waited longest in the most urgent lane is next; one
 * that never ends gives its place up after a while. Synchronous.
 */
import { isMoreUrgent, type Lane } from "./Lanes.ts"

/** One that takes longer has failed or hangs, and costs little by then. */
export const patienceMillis = 180_000

export interface Starts {
  /** Whether it may be now. Whoever may not is in line. Asking again changes nothing. */
  ask(customer: string, lane: Lane, now: number): boolean
  /** Already under way, whether there is a place or not. */
  claim(customer: string, now: number): void
  /** It is done, or not to be done any more: its place or its turn is free. */
  done(customer: string): void
  /** Whoever has a place now and did not before; to be called again by and by. */
  called(now: number): ReadonlyArray<string>
  count(): { readonly running: number; readonly waiting: number }
}

export const make = (most: number): Starts => {
  const running = new Map<string, number>()
  const waiting = new Map<string, Lane>()

  const expire = (now: number) => {
    for (const [customer, since] of running) if (now - since >= patienceMillis) running.delete(customer)
  }
  const next = () => {
    let best: readonly [string, Lane] | undefined
    for (const one of waiting) if (best === undefined || isMoreUrgent(one[1], best[1])) best = one
    return best?.[0]
  }

  return {
    ask: (customer, lane, now) => {
      if (running.has(customer)) return true
      expire(now)
      waiting.set(customer, waiting.get(customer) ?? lane)
      if (running.size >= most || next() !== customer) return false
      waiting.delete(customer)
      running.set(customer, now)
      return true
    },
    claim: (customer, now) => {
      waiting.delete(customer)
      if (!running.has(customer)) running.set(customer, now)
    },
    done: (customer) => {
      running.delete(customer)
      waiting.delete(customer)
    },
    called: (now) => {
      expire(now)
      const called: Array<string> = []
      while (running.size < most) {
        const customer = next()
        if (customer === undefined) break
        waiting.delete(customer)
        running.set(customer, now)
        called.push(customer)
      }
      return called
    },
    count: () => ({ running: running.size, waiting: waiting.size }),
  }
}
