/**
 * An upstream whose streams stay open until a test lets them end, with an account of its own that owes nothing to the
 * proxies: what it was allowed to complete in what is open, and what it has reported for what is over. At each arrival it
 * checks by that account alone that the limit holds.
 */
import type { ServerResponse } from "node:http"
import * as Stub from "../StubUpstream.ts"

export interface Plan {
  /** The true prompt of every request. */
  readonly prompt: number
  /** How much of what it was allowed it completes. */
  readonly completion: (granted: number) => number
  /** The customer's limit, for the check at each arrival. */
  readonly limit: number
}

/** Uses every token that it was allowed. */
export const greedy = (granted: number): number => granted
/** Uses a few. */
export const modest = (granted: number): number => Math.min(5, granted)

interface Open {
  readonly granted: number
  readonly response: ServerResponse
  readonly ends: () => void
}

export class Gate {
  #plan: Plan
  readonly #open = new Set<Open>()
  #closed = true
  #pauseMillis = 0
  /** Charged tokens reported so far, and the calls they are of. */
  used = 0
  calls = 0
  /** Completion allowed in what is open. */
  granted = 0
  /** Arrivals at which what is used and what is open were more than the limit. */
  beyond = 0
  most = 0

  constructor(plan: Plan) {
    this.#plan = plan
  }

  get open(): number {
    return this.#open.size
  }

  plan(changed: Partial<Plan>): void {
    this.#plan = { ...this.#plan, ...changed }
  }

  /** From now on streams end by themselves after a pause; those that are open end now. */
  release(pauseMillis = 0): void {
    this.#closed = false
    this.#pauseMillis = pauseMillis
    this.releaseSome(this.#open.size)
  }

  /** Lets the oldest so many end. */
  releaseSome(count: number): void {
    for (const one of [...this.#open].slice(0, count)) one.ends()
  }

  close(): void {
    this.#closed = true
  }

  readonly behaviour: Stub.Behaviour = (received, response) => {
    const granted = received.body.max_completion_tokens as number
    const one: Open = {
      granted,
      response,
      ends: () => {
        if (!this.#open.delete(one)) return
        const counts = { prompt: this.#plan.prompt, completion: this.#plan.completion(granted) }
        this.granted -= granted
        this.used += counts.prompt + counts.completion
        this.calls++
        response.end(Stub.finish(counts))
      },
    }
    this.#open.add(one)
    this.granted += granted
    this.most = Math.max(this.most, this.#open.size)
    if (this.used + this.granted + this.#open.size * this.#plan.prompt > this.#plan.limit) this.beyond++
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.write(Stub.word(0))
    response.on("close", () => {
      if (this.#open.delete(one)) this.granted -= granted
    })
    if (!this.#closed) setTimeout(one.ends, this.#pauseMillis)
  }
}
