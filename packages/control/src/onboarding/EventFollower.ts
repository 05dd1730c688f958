/**
 * Tells conversations what happened to their account: payment, provisioning, the live agent. It looks twice a second for
 * conversations that are behind; each event is taken once, under the conversation's lock, so two followers are safe.
 */
import type { ConversationId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import { ConversationStore } from "./ConversationStore.ts"
import { Onboarding } from "./Onboarding.ts"

/** A payment page that could not be opened is tried again after this long (ms). */
const checkoutRetry = 30_000

export const make = Effect.gen(function* () {
  const store = yield* ConversationStore
  const events = yield* CustomerEvents
  const onboarding = yield* Onboarding

  const catchUp = Effect.fn("EventFollower.catchUp")(function* (id: ConversationId) {
    const found = yield* store.find(id)
    if (Option.isNone(found)) return
    const { accountId, state } = found.value
    for (const event of yield* events.after(accountId, state.followed)) {
      yield* onboarding.tell(id, { _tag: "Told", event })
    }
  })

  const openCheckouts = Effect.fn("EventFollower.openCheckouts")(function* () {
    const now = yield* Clock.currentTimeMillis
    for (const { accountId, id, orderId } of yield* store.withoutCheckout(now - checkoutRetry)) {
      yield* onboarding.retryCheckout(id, accountId, orderId)
    }
  })

  const each = <A, E>(effect: Effect.Effect<A, E>) =>
    Effect.catchCause(effect, (cause) => Effect.logWarning("a conversation was not told", cause))

  /** One pass over everybody. */
  const pass = Effect.gen(function* () {
    yield* Effect.forEach(yield* store.behind, (id) => each(catchUp(id)), { concurrency: 4, discard: true })
    yield* each(openCheckouts())
  })
  return { pass }
})

export const layer: Layer.Layer<never, never, ConversationStore | CustomerEvents | Onboarding> = Layer.effectDiscard(
  Effect.gen(function* () {
    const { pass } = yield* make
    yield* pass.pipe(
      Effect.catchCause((cause) => Effect.logWarning("events can't be followed", cause)),
      Effect.andThen(Effect.sleep("500 millis")),
      Effect.forever,
      Effect.forkScoped,
    )
  }),
)
