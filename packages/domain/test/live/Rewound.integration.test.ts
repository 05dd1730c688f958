/**
 * Random histories of a Redis that again and again comes back as it was some time ago, or empty: as after a power cut or a
 * failover. Proxies tell it again what it had acknowledged, unless they died; a recorder writes what it reads, a healer puts
 * back what is outdated. Whatever the order: nothing is charged twice or at another amount, nothing that its proxy lived
 * to tell again is lost, no hold stays, and Redis counts what the ledger has.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { rebuild } from "../../src/Allowance/Rebuild.ts"
import { Allowance, type AllowanceSnapshot, type Hold, type Settlement } from "../../src/Allowance.ts"
import { AllowanceSource } from "../../src/AllowanceSource.ts"
import type { StoreUnavailable } from "../../src/Errors.ts"
import { sweep } from "../../src/live/AllowanceRedis/Scripts.ts"
import * as AllowanceRedis from "../../src/live/AllowanceRedis.ts"
import { RedisClient } from "../../src/live/RedisClient.ts"
import * as UsageEventsRedis from "../../src/live/UsageEventsRedis.ts"
import { ask, customer, settlement, snapshot, terms } from "../../src/testing/contracts/AllowanceFixtures.ts"
import { sourceIdOf, type UsageEvent } from "../../src/Usage.ts"
import { endOf, type StreamPlace, UsageEvents } from "../../src/UsageEvents.ts"
import { freshRedisClient } from "./FreshRedisClient.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const proxy = between(0, 1)
const settle = Schema.TaggedStruct("settle", { proxy, tokens: between(1, 90) })
const Step = Schema.Union([
  Schema.TaggedStruct("admit", { proxy }),
  settle,
  settle,
  Schema.TaggedStruct("release", { proxy }),
  Schema.TaggedStruct("record", { most: between(1, 3) }),
  Schema.TaggedStruct("heal", {}),
  /** Everything that is held runs out. */
  Schema.TaggedStruct("sweep", {}),
  /** What stands now is on the disk. */
  Schema.TaggedStruct("save", {}),
  Schema.TaggedStruct("rewind", {}),
  Schema.TaggedStruct("flush", {}),
  /** The proxy notices and tells again; it may be slow to do so. */
  Schema.TaggedStruct("tell", { proxy }),
  Schema.TaggedStruct("die", { proxy }),
])
const Steps = Schema.Array(Step).check(Schema.isMinLength(30), Schema.isMaxLength(90))

const endless = terms({ plan: 10_000_000, serviceUntil: Date.UTC(2100, 0) })
const known = snapshot({ terms: endless, periodEnd: Date.UTC(2099, 0) })

/** Postgres: each event once by its source, and the recorder's place with it. */
const ledger = () => {
  const entries = new Map<string, UsageEvent>()
  let place: StreamPlace = { epoch: "", cursor: "0-0" }
  const charged = () =>
    [...entries].flatMap(([source, event]) => ("charge" in event ? [[source, event.charge] as const] : []))
  const used = () => charged().reduce((sum, [, charge]) => sum + charge, 0)
  const record = Effect.fnUntraced(function* (most: number) {
    const stream = yield* UsageEvents
    const page = yield* stream.after(place, most)
    for (const { event } of page.events) if (!entries.has(sourceIdOf(event))) entries.set(sourceIdOf(event), event)
    place = endOf(page)
    yield* stream.trim(place)
    return page.events.length > 0
  })
  const now = (): AllowanceSnapshot => ({
    ...known,
    used: used(),
    counted: charged().map(([source]) => source),
    recorded: place,
  })
  const source = AllowanceSource.of({
    snapshot: () => Effect.sync(() => Option.some(now())),
    customerOf: () => Effect.succeed(Option.none()),
    customers: Effect.succeed([{ customerId: customer, rev: 1 }]),
    usage: () => Effect.succeed([]),
  })
  return { record, used, charged: () => Object.fromEntries(charged()), source }
}

/** All keys with their content, as a disk has them. */
const dump = RedisClient.use((redis) =>
  redis.call("dump", async (client) => {
    const keys = await client.keys("*")
    return Promise.all(keys.map(async (key) => [key, await client.dumpBuffer(key)] as const))
  }),
)
type Dump = Effect.Success<typeof dump>

const restore = (saved: Dump) =>
  RedisClient.use((redis) =>
    redis.call("restore", async (client) => {
      await client.flushdb()
      for (const [key, content] of saved) if (content !== null) await client.restore(key, 0, content)
    }),
  )

const play = Effect.fn(function* (steps: typeof Steps.Type) {
  const allowance = yield* Allowance
  const redis = yield* RedisClient
  const postgres = ledger()
  const rebuilt = Effect.provideService(rebuild(customer), AllowanceSource, postgres.source)
  const heal = Effect.gen(function* () {
    const outdated = yield* allowance.outdated(yield* postgres.source.customers)
    if (outdated.length > 0) yield* rebuilt
  })
  /** Until the recorder has seen that the stream is another, a snapshot may be refused as stale: it is tried again later. */
  const tried = (effect: Effect.Effect<unknown, StoreUnavailable, Allowance>) => Effect.isSuccess(effect)
  const sweepAll = redis.script(sweep, [Date.now() + 1_000_000, 1_000])
  yield* restore([])
  yield* heal

  const proxies = [0, 1].map(() => ({ open: [] as Array<Hold>, recent: [] as Array<Settlement | Hold> }))
  /** What each call is worth, by its source, and whether it may be lost: its proxy died. */
  const truth: Record<string, number> = {}
  const mayBeLost = new Set<string>()
  const sourceOf = ({ requestId, attempt }: Hold) => `usage:${requestId}:${attempt}`
  let saved: Dump = yield* dump
  let names = 0

  const conclude = (one: Settlement | Hold) => ("hold" in one ? allowance.settle(one) : allowance.release(one))
  const tell = ({ open, recent }: (typeof proxies)[number]) =>
    Effect.gen(function* () {
      yield* allowance.renew(open)
      yield* Effect.forEach(recent, conclude, { discard: true })
    })

  const take = Effect.fnUntraced(function* (step: (typeof steps)[number]) {
    const own = "proxy" in step ? proxies[step.proxy] : undefined
    switch (step._tag) {
      case "admit": {
        const asked = ask(`r${names++}`, { completion: 90, floor: 90 })
        const first = yield* allowance.admit(asked)
        if (first._tag === "Absent" && !(yield* tried(rebuilt))) return undefined
        const admission = first._tag === "Absent" ? yield* allowance.admit(asked) : first
        return admission._tag === "Admitted" ? own?.open.push(admission.hold) : assert.fail(admission._tag)
      }
      case "settle": {
        const hold = own?.open.shift()
        if (hold === undefined) return undefined
        truth[sourceOf(hold)] = step.tokens
        own?.recent.push(settlement(hold, step.tokens))
        return yield* allowance.settle(settlement(hold, step.tokens))
      }
      case "release": {
        const hold = own?.open.shift()
        if (hold === undefined) return undefined
        own?.recent.push(hold)
        return yield* allowance.release(hold)
      }
      case "record":
        return yield* postgres.record(step.most)
      case "heal":
        return yield* tried(heal)
      case "sweep":
        return yield* sweepAll
      case "save":
        return void (saved = yield* dump)
      case "rewind":
        return yield* restore(saved)
      case "flush":
        saved = []
        return yield* restore(saved)
      case "tell":
        return own === undefined ? undefined : yield* tell(own)
      case "die":
        for (const one of own?.recent ?? []) if ("hold" in one) mayBeLost.add(sourceOf(one.hold))
        return void (proxies[step.proxy] = { open: [], recent: [] })
    }
  })
  for (const step of steps) yield* take(step)

  yield* Effect.forEach(proxies, tell, { discard: true })
  for (const { open } of proxies) yield* Effect.forEach(open, allowance.release, { discard: true })
  yield* sweepAll
  while (yield* postgres.record(100));
  yield* heal

  const charged = postgres.charged()
  for (const [source, charge] of Object.entries(charged)) assert.strictEqual(charge, truth[source], source)
  const lost = Object.keys(truth).filter((source) => !(source in charged) && !mayBeLost.has(source))
  assert.deepStrictEqual(lost, [])
  const view = Option.getOrThrow(yield* allowance.view(customer))
  assert.deepInclude(view, { used: postgres.used(), held: 0 })
  assert.strictEqual(yield* redis.call("holds", (client) => client.zcard("holds")), 0)
  assert.deepStrictEqual(yield* allowance.outdated(yield* postgres.source.customers), [])
})

const stores = Layer.mergeAll(AllowanceRedis.layer, UsageEventsRedis.layer)

layer(freshRedisClient)("a Redis that comes back as it was before", (it) => {
  it.effect.prop(
    "charges once, and loses only what died with its proxy",
    { steps: Steps },
    ({ steps }) => play(steps).pipe(Effect.provide(Layer.fresh(stores))),
    { timeout: 120_000, arbitrary: { runs: 150, size: 90 } },
  )

  it.effect("empty, and was rebuilt from the ledger, knows what a proxy tells again", () =>
    play([
      { _tag: "admit", proxy: 0 },
      { _tag: "settle", proxy: 0, tokens: 7 },
      { _tag: "record", most: 1 },
      { _tag: "flush" },
      { _tag: "record", most: 1 },
      { _tag: "heal" },
      { _tag: "tell", proxy: 0 },
    ]).pipe(Effect.provide(Layer.fresh(stores))),
  )

  it.effect("twice, before it had any event, is noticed twice", () =>
    play([
      { _tag: "admit", proxy: 0 },
      { _tag: "release", proxy: 0 },
      { _tag: "save" },
      { _tag: "admit", proxy: 0 },
      { _tag: "settle", proxy: 0, tokens: 7 },
      { _tag: "record", most: 1 },
      { _tag: "die", proxy: 0 },
      { _tag: "rewind" },
      { _tag: "record", most: 1 },
      { _tag: "rewind" },
      { _tag: "record", most: 1 },
    ]).pipe(Effect.provide(Layer.fresh(stores))),
  )
})
