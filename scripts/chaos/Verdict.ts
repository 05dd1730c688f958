/**
 * Compares what was recorded with what was served. Pure. Invariant that it holds the product to: each call that the upstream
 * answered in full is charged once, at what it told; or it is lost at no charge, and then its proxy was killed before it
 * could settle it for good. Nothing else is charged but flagged estimates of answers that broke off.
 */
import { chargeOf } from "@berth/domain/Usage"
import { type Sent, traceOf } from "./Load.ts"
import type { Cut, Life } from "./Stage.ts"
import type { Served } from "./Upstream.ts"

/** An entry of the ledger that charges a call. */
export interface Charged {
  readonly customerId: string
  readonly traceId: string
  readonly tokens: number
  readonly completion: number
  readonly estimated: boolean
}

export interface Evidence {
  readonly sent: ReadonlyArray<Sent>
  readonly served: ReadonlyArray<Served>
  readonly charged: ReadonlyArray<Charged>
  /** Of each proxy by its number, and of Redis. */
  readonly proxies: ReadonlyArray<ReadonlyArray<Life>>
  readonly redis: ReadonlyArray<Life>
  readonly cuts: ReadonlyArray<Cut>
}

/** One customer's calls, and their tokens as they are charged. */
export interface Account {
  readonly customerId: string
  readonly served: { readonly calls: number; readonly tokens: number }
  readonly charged: { readonly calls: number; readonly tokens: number }
  /** Served and not charged, because a proxy died with it. */
  readonly lost: { readonly calls: number; readonly tokens: number }
  /** Broke off, and charged by what was seen of them. */
  readonly estimated: { readonly calls: number; readonly tokens: number }
}

export interface Verdict {
  readonly accounts: ReadonlyArray<Account>
  readonly violations: ReadonlyArray<string>
}

/** How long a proxy may take to settle while Redis is up, on a machine that has much else to do. */
const settleMillis = 3_000
/** How long before a power cut what Redis acknowledged may be missing from its disk. */
const losableMillis = 2_500
/** How long what Redis acknowledged may stand in Redis alone, while recorders and Postgres die and come back. */
const unrecordedMillis = 20_000

/**
 * Until when its proxy had to live for this call not to be lost: it settles once Redis is there, and once more if Redis then
 * loses what it acknowledged.
 */
export const safeAt = (endedAt: number, redis: ReadonlyArray<Life>, cuts: ReadonlyArray<Cut>): number => {
  let from = endedAt
  for (const life of redis) {
    if (life.to !== undefined && life.to <= from) continue
    const settled = Math.max(from, life.from) + settleMillis
    const cut = cuts.find(
      ({ at, whole }) => at >= life.from && at <= settled + (whole ? unrecordedMillis : losableMillis),
    )
    const ends = life.to ?? Number.POSITIVE_INFINITY
    if (cut === undefined && ends >= settled) return settled
    from = cut?.at ?? ends
  }
  return Number.POSITIVE_INFINITY
}

/** When the process that was asked died; undefined if it lived to the end. */
const diedAt = (lives: ReadonlyArray<Life>, at: number): number | undefined =>
  lives.find(({ to }) => to === undefined || to >= at)?.to

const sum = (tokens: ReadonlyArray<number>) => ({
  calls: tokens.length,
  tokens: tokens.reduce((all, one) => all + one, 0),
})

const group = <A>(some: ReadonlyArray<A>, key: (one: A) => string): ReadonlyMap<string, ReadonlyArray<A>> =>
  Map.groupBy(some, key)

export const judge = ({ sent, served, charged, proxies, redis, cuts }: Evidence): Verdict => {
  const violations: Array<string> = []
  const chargedByTrace = group(charged, ({ traceId }) => traceId)
  const servedByMark = group(served, ({ mark }) => mark)
  const exact = new Map<Sent, number>()
  const lost = new Map<Sent, number>()
  const estimated = new Map<Sent, number>()

  const judgeOne = (call: Sent) => {
    const say = (what: string) => violations.push(`${call.mark}: ${what}`)
    if (call.status === undefined) say("neither answered nor ended")
    const answers = servedByMark.get(call.mark) ?? []
    const whole = answers.filter(({ usage }) => usage !== undefined)
    const [entry, ...more] = chargedByTrace.get(traceOf(call.mark)) ?? []
    if (more.length > 0) say(`charged ${more.length + 1} times`)
    if (whole.length > 1) say(`answered ${whole.length} times`)
    const [answer] = whole
    const truth = answer?.usage === undefined ? undefined : chargeOf(answer.usage)
    if (entry !== undefined && entry.customerId !== call.customerId) say(`charged to ${entry.customerId}`)
    if (entry?.estimated === true) {
      if (truth !== undefined) say(`estimated at ${entry.tokens}, though the upstream told ${truth}`)
      const seen = answers.reduce((bytes, { textBytes }) => bytes + textBytes, 0)
      if (entry.completion > seen) say(`estimated at ${entry.completion} tokens of ${seen} bytes`)
      estimated.set(call, entry.tokens)
    } else if (entry !== undefined) {
      if (entry.tokens !== truth) say(`charged ${entry.tokens}, served ${truth ?? "nothing"}`)
      exact.set(call, entry.tokens)
    } else if (truth !== undefined) {
      const died = diedAt(proxies[call.proxy] ?? [], call.sentAt)
      const safe = safeAt(answer?.endedAt ?? 0, redis, cuts)
      if (died === undefined) say(`lost ${truth} tokens, though its proxy lived`)
      else if (died > safe) say(`lost ${truth} tokens, though its proxy lived ${died - safe} ms longer than it had to`)
      lost.set(call, truth)
    }
  }
  for (const call of sent) judgeOne(call)

  const marks = new Set(sent.map(({ mark }) => mark))
  const traces = new Set(sent.map(({ mark }) => traceOf(mark)))
  for (const { mark } of served)
    if (!marks.has(mark)) violations.push(`the upstream served "${mark}", which nobody sent`)
  for (const { traceId, customerId, tokens } of charged)
    if (!traces.has(traceId)) violations.push(`${customerId} is charged ${tokens} for "${traceId}", which nobody sent`)

  const accounts = [...group(sent, ({ customerId }) => customerId)].map(([customerId, calls]): Account => {
    const of = (tokens: ReadonlyMap<Sent, number>) => sum(calls.flatMap((call) => tokens.get(call) ?? []))
    const truths = calls.flatMap(({ mark }) =>
      (servedByMark.get(mark) ?? []).flatMap(({ usage }) => (usage === undefined ? [] : [chargeOf(usage)])),
    )
    return { customerId, served: sum(truths), charged: of(exact), lost: of(lost), estimated: of(estimated) }
  })
  for (const { customerId, ...account } of accounts)
    if (account.charged.tokens + account.lost.tokens !== account.served.tokens)
      violations.push(
        `${customerId}: served ${account.served.tokens}, charged ${account.charged.tokens}, lost ${account.lost.tokens}`,
      )
  return { accounts, violations }
}
