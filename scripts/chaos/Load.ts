/**
 * Customers who call without pause: streams and whole answers, some of which they leave in the midst. Each call has a mark
 * of its own, in its message for the upstream and in its trace id for the ledger.
 */
import { createHash } from "node:crypto"
import * as Effect from "effect/Effect"
import * as LightClient from "../../packages/proxy/test/processes/LightClient.ts"
import type { Customer } from "./Customers.ts"
import type { Dice } from "./Dice.ts"

/** A call as its client saw it. Times are epoch ms. */
export interface Sent {
  readonly mark: string
  readonly customerId: string
  /** Number of the proxy. */
  readonly proxy: number
  readonly sentAt: number
  /** 0 if the connection broke before there was one; undefined if there was neither answer nor end within a minute. */
  status: number | undefined
}

/** Longer than anything that an answer may wait for. */
const patience = 60_000

export const traceOf = (mark: string): string => createHash("sha256").update(mark).digest("hex").slice(0, 32)

const bodyOf = (mark: string, luck: Dice) => ({
  model: luck.pick(["kimi-k2.6", "kimi-k2.7-code"]),
  messages: [{ role: "user", content: `[[${mark}]] ${"say something ".repeat(luck.between(1, 8))}` }],
  max_completion_tokens: luck.between(50, 400),
  ...(luck.chance(0.7) ? { stream: true } : {}),
})

export interface Options {
  readonly customers: ReadonlyArray<Customer>
  readonly proxies: ReadonlyArray<{ readonly url: string }>
  /** Calls that each customer has under way. */
  readonly parallel: number
  readonly luckOf: (client: string) => Dice
}

const wait = (millis: number) => new Promise<undefined>((resolve) => setTimeout(resolve, millis, undefined))

/** Starts them; `stop` ends them and returns when none has anything under way. */
export const start = ({ customers, proxies, parallel, luckOf }: Options) => {
  const sent: Array<Sent> = []
  let stopped = false
  const call = async (customer: Customer, mark: string, luck: Dice) => {
    const proxy = luck.between(0, proxies.length - 1)
    const record: Sent = {
      mark,
      customerId: customer.customerId,
      proxy,
      sentAt: Date.now(),
      status: undefined,
    }
    sent.push(record)
    const traceparent = `00-${traceOf(mark)}-${traceOf(`span of ${mark}`).slice(0, 16)}-01`
    const one = LightClient.send(proxies[proxy]?.url ?? "", customer.token, bodyOf(mark, luck), { traceparent })
    const leaving = luck.chance(0.15) ? setTimeout(one.abort, luck.between(1, 300)) : undefined
    record.status = await Promise.race([one.ended.then(({ status }) => status), wait(patience)])
    clearTimeout(leaving)
    // Nobody there, or nothing left: no reason to hammer.
    if (record.status !== 200) await wait(luck.between(50, 250))
  }
  const client = async (customer: Customer, index: number) => {
    const luck = luckOf(`${customer.customerId}/${index}`)
    for (let turn = 0; !stopped; turn++) {
      await call(customer, `${customer.customerId}-${index}-${turn}`, luck)
      await wait(luck.between(0, 60))
    }
  }
  const running = Promise.all(
    customers.flatMap((customer) => Array.from({ length: parallel }, (_, index) => client(customer, index))),
  )
  const stop = Effect.promise(async () => {
    stopped = true
    await running
  })
  return { sent: sent as ReadonlyArray<Sent>, stop }
}
