/**
 * The api as promises, derived from the HTTP contract: paths, payloads and answers are checked against it. A call that
 * fails throws `CallFailed`. Loaded after the landing page, which must not wait for it.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Cause from "effect/Cause"
import { FetchHttpClient } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { PublicApi } from "../../api/Api.ts"
import { failureOf } from "./Failure.ts"

const client = Effect.runSync(
  HttpApiClient.make(PublicApi, { baseUrl: location.origin }).pipe(Effect.provide(FetchHttpClient.layer)),
)

const run = async <A, E>(call: Effect.Effect<A, E>, signal?: AbortSignal): Promise<A> => {
  const exit = await Effect.runPromiseExit(call.pipe(Effect.timeout("45 seconds")), signal ? { signal } : {})
  if (Exit.isSuccess(exit)) return exit.value
  throw failureOf(Cause.squash(exit.cause))
}

/** The browser's one conversation; opens an anonymous account first if there is none. */
export const openConversation = (signal?: AbortSignal) =>
  run(client.session.open({ payload: {} }).pipe(Effect.andThen(client.chat.open())), signal)

/** Says something once, however often it is called with the same `clientId`. */
export const say = (conversationId: string, clientId: string, text: string) =>
  run(client.chat.say({ params: { id: conversationId }, payload: { text, clientId } }))

export const readAgent = (signal?: AbortSignal) => run(client.account.agent(), signal)
export const readHealth = (signal?: AbortSignal) => run(client.inspection.health(), signal)
/** The end of the agent's log, or of its run before the last restart. */
export const readLogs = (previous: boolean, signal?: AbortSignal) =>
  run(client.inspection.logs({ query: { tail: 200, previous: previous ? "true" : "false" } }), signal)
export const readUsage = (signal?: AbortSignal) => run(client.account.usage(), signal)
export const readOrder = (id: string, signal?: AbortSignal) => run(client.account.order({ params: { id } }), signal)

/** Sets the most that may be charged in a day; null clears it. */
export const setDailyCap = (cap: number | null) => run(client.account.dailyCap({ payload: { cap } }))

/** Has the agent deleted; `confirm` is its bot's name, as it was typed. */
export const deleteAgent = (confirm: string) => run(client.account.deletion({ payload: { confirm } }))

/** Tells that the customer came back from the payment page; what became of the order. Not cut short by leaving the page. */
export const comeBack = (orderId: string) => run(client.chat.returned({ payload: { orderId } }))
