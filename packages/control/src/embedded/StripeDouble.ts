/**
 * An embedded Stripe: checkouts, subscriptions and invoices over one world that a KeyValueStore keeps across a kill, one
 * for all processes that share the store. What was accepted is stored before it is answered, its events with it; each is
 * delivered, signed, until an endpoint says 2xx.
 */
import { createHmac, randomBytes } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { KeyValueStore, toSchemaStore } from "effect/persistence/KeyValueStore"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import { Turn } from "./DurableStore.ts"
import {
  acknowledged,
  cancel,
  createSession,
  type Delivery,
  type Draft,
  emptyWorld,
  expire,
  pay,
  refund,
  refused,
  renew,
  type Session,
  World,
} from "./StripeDouble/World.ts"

export interface Options {
  /** Where events go, e.g. `http://127.0.0.1:3000/webhooks/stripe`. */
  readonly webhookUrl: string
  readonly webhookSecret: Redacted.Redacted<string>
  /** Where the checkout pages are served, e.g. `http://127.0.0.1:3000/dev/stripe/checkout`. */
  readonly pageUrl: string
}

export class StripeDouble extends Context.Service<
  StripeDouble,
  {
    readonly world: Effect.Effect<World>
    /** `key` is the Idempotency-Key; `params` are the request's, to tell a repeat from a conflict. */
    createCheckout(
      draft: Omit<Draft, "id" | "url">,
      key: string | undefined,
      params: string,
    ): Effect.Effect<Session | "conflict">
    /** The checkout as it is now: an old one has expired. */
    checkout(id: string): Effect.Effect<Option.Option<Session>>
    expireCheckout(id: string): Effect.Effect<Option.Option<Session>>
    /** What the page's button does: the checkout as it is after it. Paying twice pays once. */
    pay(id: string): Effect.Effect<Option.Option<Session>>
    renew(subscriptionId: string): Effect.Effect<void>
    cancel(subscriptionId: string, when: "periodEnd" | "now"): Effect.Effect<void>
    refund(invoiceId: string, cents: number): Effect.Effect<void>
    /** Sends every event twice from now on, or once. For tests. */
    sendTwice(on: boolean): Effect.Effect<void>
  }
>()("@berth/control/StripeDouble") {
  static readonly layer = (options: Options): Layer.Layer<StripeDouble, never, KeyValueStore | HttpClient.HttpClient> =>
    Layer.effect(StripeDouble, make(options))
}

/** The header that Stripe signs a body with. */
export const signatureOf = (secret: Redacted.Redacted<string>, body: string, seconds: number): string =>
  `t=${seconds},v1=${createHmac("sha256", Redacted.value(secret)).update(`${seconds}.${body}`).digest("hex")}`

const seconds = Effect.map(Clock.currentTimeMillis, (millis) => Math.floor(millis / 1000))

const make = Effect.fn("StripeDouble.make")(function* (options: Options) {
  const store = toSchemaStore(yield* KeyValueStore, World)
  const http = yield* HttpClient.HttpClient
  const inTurn = yield* Turn
  const oneAtATime = yield* Semaphore.make(1)
  /** Read anew each time: other services of this machine may share it. */
  const current = store.get("stripe").pipe(Effect.map(Option.getOrElse(() => emptyWorld)), Effect.orDie)
  const outgoing = yield* Queue.unbounded<string>()
  let copies = 1

  /** Decides on the newest world and stores the next one before anybody hears of it. */
  const change = <A>(decide: (world: World, now: number) => { readonly world: World; readonly result: A }) =>
    Effect.gen(function* () {
      const world = yield* current
      const next = decide(world, yield* seconds)
      if (next.world === world) return next.result
      yield* store.set("stripe", next.world).pipe(Effect.orDie)
      const known = new Set(world.deliveries.map(({ id }) => id))
      yield* Queue.offerAll(
        outgoing,
        next.world.deliveries.map(({ id }) => id).filter((id) => !known.has(id)),
      )
      return next.result
    }).pipe(inTurn, oneAtATime.withPermit)

  const withSession = (id: string, act: (world: World, session: Session, now: number) => World) =>
    change((world, now) => {
      const session = world.sessions[id]
      if (session === undefined) return { world, result: Option.none<Session>() }
      const aged = session.status === "open" && now >= session.expiresAt ? expire(world, session, now) : world
      const next = act(aged, aged.sessions[id] ?? session, now)
      return { world: next, result: Option.fromUndefinedOr(next.sessions[id]) }
    })

  const send = Effect.fn("StripeDouble.send")(function* ({ body }: Delivery) {
    const signature = signatureOf(options.webhookSecret, body, yield* seconds)
    const request = HttpClientRequest.post(options.webhookUrl).pipe(
      HttpClientRequest.setHeader("stripe-signature", signature),
      HttpClientRequest.bodyText(body, "application/json"),
    )
    const response = yield* http.execute(request).pipe(Effect.timeout("10 seconds"))
    return response.status >= 200 && response.status < 300
  })

  const deliver = Effect.fn("StripeDouble.deliver")(function* (id: string) {
    for (;;) {
      const delivery = (yield* current).deliveries.find((one) => one.id === id)
      if (delivery === undefined) return
      let taken = true
      for (let copy = 0; copy < copies; copy++)
        taken = (yield* send(delivery).pipe(Effect.catchCause(() => Effect.succeed(false)))) && taken
      yield* change((world) => ({ world: (taken ? acknowledged : refused)(world, id), result: undefined }))
      if (!taken) yield* Effect.sleep(Math.min(30_000, 250 * 2 ** Math.min(delivery.attempts, 7)))
    }
  })

  yield* Queue.offerAll(
    outgoing,
    (yield* current).deliveries.map(({ id }) => id),
  )
  // Each on its own: an endpoint that refuses one event still gets the others.
  yield* Queue.take(outgoing).pipe(
    Effect.flatMap((id) => Effect.forkScoped(deliver(id))),
    Effect.forever,
    Effect.forkScoped,
  )

  const onSubscription = (id: string, act: typeof renew) =>
    change((world, now) => {
      const subscription = world.subscriptions[id]
      return { world: subscription === undefined ? world : act(world, subscription, now), result: undefined }
    })

  return StripeDouble.of({
    world: current,
    createCheckout: Effect.fn("StripeDouble.createCheckout")((draft, key, params) => {
      const id = `cs_test_${randomBytes(12).toString("hex")}`
      const whole = { ...draft, id, url: `${options.pageUrl}/${id}` }
      return change((world, now) => createSession(world, whole, key, params, now))
    }),
    checkout: (id) => withSession(id, (world) => world),
    expireCheckout: (id) => withSession(id, expire),
    pay: (id) => withSession(id, pay),
    renew: (id) => onSubscription(id, renew),
    cancel: (id, when) => onSubscription(id, (world, subscription, now) => cancel(world, subscription, when, now)),
    refund: (invoiceId, cents) => change((world) => ({ world: refund(world, invoiceId, cents), result: undefined })),
    sendTwice: (on) =>
      Effect.sync(() => {
        copies = on ? 2 : 1
      }),
  })
})
