/** A proxy on a real socket before a scripted upstream, on whatever allowance a test gives it, with customers who may call. */
import { Allowance, type AllowanceSnapshot, type AllowanceTerms, type Ask } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import { Calibrations } from "@berth/domain/Calibration"
import { CustomerId, RequestId } from "@berth/domain/Ids"
import { hashOf, mint } from "@berth/domain/ProxyToken"
import { Switches } from "@berth/domain/Switches"
import type { UsageEvent } from "@berth/domain/Usage"
import { UsageEvents } from "@berth/domain/UsageEvents"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { Kimi } from "../src/Kimi.ts"
import * as Proxy from "../src/Proxy.ts"
import type * as PublicServer from "../src/PublicServer.ts"
import { type Limits, Settings } from "../src/Settings.ts"
import * as Stub from "./StubUpstream.ts"

export const upstreamKey = "sk-upstream-key-of-ours"

export interface Customer {
  readonly customerId: CustomerId
  readonly token: string
  readonly snapshot: AllowanceSnapshot
}

/** What a small call of theirs asks the store for. */
export const asks = (who: Customer, name: string): Ask => ({
  customerId: who.customerId,
  tokenHash: who.snapshot.terms.tokens[0] ?? "",
  requestId: RequestId.make(name),
  attempt: 1,
  model: "kimi-k2.6",
  background: false,
  prompt: 100,
  completion: 1_000,
  floor: 1_000,
})

let minted = 0

/** Each has a token of their own. */
export const customer = (
  name: string,
  {
    plan = 1_000_000,
    used = 0,
    periodEnd = Date.UTC(2099, 11, 1),
    ...terms
  }: Partial<AllowanceTerms> & { readonly used?: number; readonly periodEnd?: number } = {},
): Customer => {
  const number = ++minted
  const random = Uint8Array.from({ length: 32 }, (_, index) => (index < 4 ? number >> (8 * index) : index * 7) % 256)
  const token = Redacted.value(mint(random))
  const customerId = CustomerId.make(name)
  return {
    customerId,
    token,
    snapshot: {
      customerId,
      rev: 1,
      period: 0,
      periodEnd,
      packs: 0,
      used,
      background: 0,
      today: { day: 0, used: 0 },
      older: [],
      recorded: { epoch: "", cursor: "0-0" },
      terms: {
        tier: "pro",
        plan,
        nextPlan: plan,
        anchor: Date.UTC(2099, 10, 1),
        serviceUntil: Date.UTC(2100, 0, 1),
        paused: false,
        blocked: false,
        dailyCap: null,
        backgroundCap: plan,
        tokens: [hashOf(token)],
        ...terms,
      },
    },
  }
}

export interface Options {
  readonly behaviour?: Stub.Behaviour
  readonly customers: ReadonlyArray<Customer>
  readonly settings?: Partial<Limits>
  /** Instead of the memory layers. */
  readonly allowance?: Layer.Layer<Allowance | UsageEvents>
  /** The switches of that allowance, if the test throws any. */
  readonly switches?: Layer.Layer<Switches>
  /** What earlier processes learnt of prompts, if the test shares it. */
  readonly calibrations?: Layer.Layer<Calibrations>
  readonly source?: Layer.Layer<AllowanceSource>
  readonly server?: PublicServer.Options
  /** How long the end of the scope lets answers go on. */
  readonly drain?: Duration.Input
}

export const memory: Layer.Layer<Allowance | UsageEvents | Switches> = Layer.mergeAll(
  Allowance.layerMemory,
  UsageEvents.layerMemory,
  Switches.layerMemory,
)

/** Starts it all in the current scope. */
export const start = Effect.fnUntraced(function* (options: Options) {
  const stub = yield* Stub.start(options.behaviour ?? Stub.either({ prompt: 100, completion: 20 }))
  const settings = Settings.layerOf(options.settings ?? {})
  const stores = Layer.mergeAll(
    options.allowance === undefined
      ? Layer.fresh(memory)
      : Layer.merge(options.allowance, options.switches ?? Layer.fresh(Switches.layerMemory)),
    options.calibrations ?? Layer.fresh(Calibrations.layerMemory),
    options.source ?? AllowanceSource.layerMemory(options.customers.map((one) => one.snapshot)),
  )
  const context = yield* Layer.build(
    Layer.fresh(Proxy.serve).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(() => Proxy.server(options.server), {
          port: 0,
          host: "127.0.0.1",
          gracefulShutdownTimeout: options.drain ?? 0,
        }),
      ),
      Layer.provide(Kimi.layerOf({ apiKey: Redacted.make(upstreamKey), baseUrl: new URL(stub.baseUrl) })),
      Layer.provideMerge(stores),
      Layer.provide(settings),
    ),
  )
  const { address } = Context.get(context, HttpServer.HttpServer)
  const url = `http://127.0.0.1:${(address as { port: number }).port}`
  const allowance = Context.get(context, Allowance)
  const switches = Context.get(context, Switches)
  const usageEvents = Context.get(context, UsageEvents)

  const view = (one: Customer) => Effect.map(allowance.view(one.customerId), Option.getOrThrow)
  const events = Effect.map(
    usageEvents.after({ epoch: "", cursor: "0-0" }, 10_000),
    (taken): ReadonlyArray<UsageEvent> => taken.events.map((one) => one.event),
  )
  /** Waits until nothing is held any more. */
  const settled = (one: Customer) =>
    Effect.gen(function* () {
      for (let tries = 0; tries < 500; tries++) {
        const now = yield* view(one)
        if (now.held === 0) return now
        yield* Effect.sleep(10)
      }
      return yield* Effect.die(`still held: ${(yield* view(one)).held}`)
    })
  return { url, stub, allowance, switches, view, events, settled }
})

export type World = Effect.Success<ReturnType<typeof start>>

export const chatBody = (more: object = {}) => ({
  model: "kimi-k2.6",
  messages: [{ role: "user", content: "Hello" }],
  ...more,
})

/** POSTs to the chat route. */
export const post = (world: World, token: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
  fetch(`${world.url}/v1/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: typeof body === "string" || body instanceof Uint8Array ? (body as any) : JSON.stringify(body),
    ...init,
  })

/** POSTs and reads it all. */
export const chat = (world: World, token: string, body: unknown = chatBody()) =>
  Effect.promise(async () => {
    const response = await post(world, token, body)
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as any }
  })
