/**
 * Step 3: may this request be called, and for how much? One atomic step in the store decides and holds. What fits beside
 * the open holds is admitted at once; what fits the allowance, but not beside them, waits in its customer's line and at
 * worst is told to try again. Invariants: only a used-up allowance gets the monthly message; no hold stays behind when
 * the one who asked has gone. On the store away: refuses.
 */
import { Allowance, type Admission as Decision, type Ask } from "@berth/domain/Allowance"
import type { AllowanceSource } from "@berth/domain/AllowanceSource"
import { StoreUnavailable } from "@berth/domain/Errors"
import type { CustomerId, RequestId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Random from "effect/Random"
import type { Caller } from "./Authenticate.ts"
import {
  AgentBlocked,
  AgentPaused,
  BackgroundLimitReached,
  DailyLimitReached,
  InvalidToken,
  RateLimited,
  RecordingBehind,
  type Refusal,
  ServiceEnded,
  TokenRevoked,
  UsageLimitReached,
} from "./Errors.ts"
import * as Metrics from "./Metrics.ts"
import { Settings } from "./Settings.ts"
import { Settlement } from "./Settlement.ts"
import * as Standing from "./Standing.ts"
import { stopRefusal } from "./Stops.ts"

export type Admitted = Extract<Decision, { _tag: "Admitted" }>

export interface Asking {
  readonly caller: Caller
  readonly requestId: RequestId
  readonly model: string
  readonly background: boolean
  readonly prompt: number
  readonly completion: number
  readonly floor: number
}

/** Answers that end or begin a wait. */
type Held = Extract<Decision, { _tag: "Admitted" | "Busy" }>

/** What the one who asked is told. PURE. */
const refusalOf = (decision: Exclude<Decision, Held>, url: string): Refusal => {
  switch (decision._tag) {
    case "Exhausted":
      return new UsageLimitReached({ limit: decision.limit, resetsAt: decision.periodEnd, topUpUrl: url })
    case "DailyCapped":
      return new DailyLimitReached({ cap: decision.cap, resetsAt: decision.resetsAt, url })
    case "BackgroundCapped":
      return new BackgroundLimitReached({ cap: decision.cap, resetsAt: decision.periodEnd, url })
    case "Stopped":
      return stopRefusal(decision.what, url)
    case "Revoked":
      return new TokenRevoked()
    case "Paused":
      return new AgentPaused({ url })
    case "Blocked":
      return new AgentBlocked({ url })
    case "Lapsed":
      return new ServiceEnded({ serviceUntil: decision.serviceUntil, url })
    case "Backlogged":
      return new RecordingBehind()
    case "Ended":
      return new StoreUnavailable({ store: "redis", operation: "admit", cause: "asked for again after it had ended" })
    case "Absent":
      return new InvalidToken()
  }
}

interface Waiter {
  readonly ask: Ask
  /** The least that must be free. */
  readonly least: number
  readonly outcome: Deferred.Deferred<Admitted, Refusal>
}

/** Those of one customer who wait, in the order they came. */
interface Line {
  readonly waiters: Set<Waiter>
  /** Open while there is reason to ask the store again. */
  readonly woken: Latch.Latch
}

/** Settlements of other processes are not heard of, so the store is asked again after this many milliseconds. */
const pollMillis = [50, 100] as const

export class Admission extends Context.Service<
  Admission,
  { admit(asking: Asking): Effect.Effect<Admitted, Refusal> }
>()("@berth/proxy/Admission") {
  static readonly layer: Layer.Layer<Admission, never, Allowance | AllowanceSource | Settings | Settlement> =
    Layer.effect(
      Admission,
      Effect.gen(function* () {
        const allowance = yield* Allowance
        const settlement = yield* Settlement
        const { allowanceWait, publicUrl } = yield* Settings
        const { rebuild } = yield* Standing.make
        const scope = yield* Effect.scope
        const clock = yield* Clock.Clock
        const context = yield* Effect.context<never>()
        const waited = Metric.withAttributes(Metrics.waitSeconds, { for: "allowance" })
        const lines = new Map<CustomerId, Line>()
        settlement.onFreed((customerId) => {
          lines.get(customerId)?.woken.openUnsafe()
        })

        const asked = (ask: Ask) =>
          Effect.tapError(allowance.admit(ask), () => Effect.sync(() => settlement.doubted(ask)))

        const decide = Effect.fnUntraced(function* (ask: Ask) {
          const decision = yield* asked(ask)
          if (decision._tag !== "Absent") return decision
          return (yield* rebuild(ask.customerId)) ? yield* asked(ask) : decision
        })

        /** Asks the store once. `Busy` is the one answer that is worth waiting on. */
        const askOnce = (ask: Ask): Effect.Effect<Held, Refusal> =>
          Effect.flatMap(decide(ask), (decision): Effect.Effect<Held, Refusal> => {
            if (decision._tag === "Admitted") settlement.opened(decision.hold)
            return decision._tag === "Admitted" || decision._tag === "Busy"
              ? Effect.succeed(decision)
              : Effect.fail(refusalOf(decision, `${publicUrl}/usage`))
          })

        /**
         * Asks again for those in a line, in order, skipping whoever needs at least as much as one just told to wait. A
         * background turn may wait for room under its own cap, so it speaks for its own kind alone.
         */
        const serve = Effect.fnUntraced(function* (line: Line) {
          let refused = Number.POSITIVE_INFINITY
          let refusedBackground = Number.POSITIVE_INFINITY
          for (const waiter of line.waiters) {
            const { background } = waiter.ask
            const limit = background ? Math.min(refused, refusedBackground) : refused
            if (waiter.least >= limit || Deferred.isDoneUnsafe(waiter.outcome)) continue
            const exit = yield* Effect.exit(askOnce(waiter.ask))
            if (Exit.isSuccess(exit) && exit.value._tag === "Busy") {
              if (background) refusedBackground = waiter.least
              else refused = waiter.least
            } else {
              line.waiters.delete(waiter)
              const taken = Deferred.doneUnsafe(waiter.outcome, exit as Exit.Exit<Admitted, Refusal>)
              if (!taken && Exit.isSuccess(exit)) yield* giveBack(exit.value as Admitted)
            }
          }
        })

        const giveBack = (admitted: Admitted) => settlement.giveBack(admitted.hold)

        const attend = (customerId: CustomerId, line: Line) =>
          Effect.gen(function* () {
            while (line.waiters.size > 0) {
              const pause = yield* Random.nextIntBetween(...pollMillis)
              yield* Effect.raceFirst(line.woken.await, Effect.sleep(pause))
              line.woken.closeUnsafe()
              yield* serve(line)
            }
            lines.delete(customerId)
          })

        const join = Effect.fnUntraced(function* (waiter: Waiter) {
          const { customerId } = waiter.ask
          const standing = lines.get(customerId)
          if (standing !== undefined) {
            standing.waiters.add(waiter)
            return standing
          }
          const line: Line = { waiters: new Set([waiter]), woken: Latch.makeUnsafe() }
          lines.set(customerId, line)
          yield* Effect.forkIn(attend(customerId, line), scope)
          return line
        })

        const wait = Effect.fnUntraced(function* (ask: Ask) {
          const outcome = Deferred.makeUnsafe<Admitted, Refusal>()
          const waiter: Waiter = { ask, least: ask.prompt + Math.min(ask.completion, ask.floor), outcome }
          const line = yield* join(waiter)
          const since = clock.currentTimeMillisUnsafe()
          // Whoever completes the outcome first decides; one that comes too late gives its hold back.
          const enough = Effect.andThen(
            Deferred.fail(outcome, new RateLimited({ what: "allowance" })),
            Deferred.await(outcome),
          )
          const abandon = Effect.flatMap(Deferred.interrupt(outcome), (abandoned) =>
            abandoned ? Effect.void : Effect.flatMap(Effect.exit(Deferred.await(outcome)), giveBackIfAdmitted),
          )
          return yield* Deferred.await(outcome).pipe(
            Effect.timeoutOrElse({ duration: allowanceWait, orElse: () => enough }),
            Effect.interruptible,
            Effect.onInterrupt(() => abandon),
            Effect.ensuring(
              Effect.sync(() => {
                line.waiters.delete(waiter)
                waited.updateUnsafe((clock.currentTimeMillisUnsafe() - since) / 1_000, context)
              }),
            ),
          )
        })

        const giveBackIfAdmitted = (exit: Exit.Exit<Admitted, Refusal>) =>
          Exit.isSuccess(exit) ? giveBack(exit.value) : Effect.void

        return {
          // Not interruptible but while it waits: a hold that the store has taken must reach the one who concludes it.
          admit: ({ caller, ...asked }) => {
            const { customerId, tokenHash } = caller
            const ask: Ask = { ...asked, customerId, tokenHash, attempt: 1 }
            return Effect.uninterruptible(
              Effect.flatMap(askOnce(ask), (decision) =>
                decision._tag === "Busy" ? wait(ask) : Effect.succeed(decision),
              ),
            )
          },
        }
      }),
    )
}
