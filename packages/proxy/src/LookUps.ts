/**
 * The looking up of tokens that this process does not know, so that made-up ones cost the stores little: requests that
 * bring the same token share one look-up, an address has only so many under way, and `BadTokens` says when it had too many
 * in vain. A good token is never refused for how many others come with it: it waits its turn, which a client that leaves
 * gives up. On a store away: fails, and that is held against nobody.
 */
import type { StoreUnavailable } from "@berth/domain/Errors"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type * as Scope from "effect/Scope"
import { BadTokens, peerFactor } from "./BadTokens.ts"
import type { Origin } from "./ClientAddress.ts"
import { InvalidToken, TooManyBadTokens } from "./Errors.ts"

/** Addresses and unknown tokens kept in memory. */
const capacity = 10_000
/** Look-ups under way for one address: what a flood of made-up tokens costs before any of them is known to be one. */
const atOnce = 50

export type Fault = InvalidToken | TooManyBadTokens | StoreUnavailable

/** An address and how many times an address's share it has. */
type Share = readonly [address: string, factor: number]

/** A peer on whose word addresses are taken has a share as well: those addresses may be made up, too. */
const sharesOf = ({ client, peer }: Origin): ReadonlyArray<Share> =>
  client === peer
    ? [[client, 1]]
    : [
        [client, 1],
        [peer, peerFactor],
      ]

/** One look-up, and how many requests wait for it. */
interface Looking<A> {
  readonly outcome: Deferred.Deferred<A, Fault>
  waiting: number
  /** Its turn has come; until then it is called off if nobody waits for it any more. */
  begun: boolean
  fiber: Fiber.Fiber<A, Fault> | undefined
}

/** `find` asks the stores; undefined if nobody has the token. What is returned throttles it. */
export const make = <A>(
  find: (tokenHash: string) => Effect.Effect<A | undefined, StoreUnavailable>,
): Effect.Effect<(tokenHash: string, origin: () => Origin) => Effect.Effect<A, Fault>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const bad = new BadTokens(capacity)
    const underWay = new Map<string, Looking<A>>()
    const turns = new Map<string, { readonly semaphore: Semaphore.Semaphore; users: number }>()

    const inTurn = (effect: Effect.Effect<A, Fault>, [address, factor]: Share): Effect.Effect<A, Fault> =>
      Effect.suspend(() => {
        const turn = turns.get(address) ?? { semaphore: Semaphore.makeUnsafe(atOnce * factor), users: 0 }
        turns.set(address, turn)
        turn.users++
        const leave = Effect.sync(() => {
          if (--turn.users === 0) turns.delete(address)
        })
        return Effect.ensuring(turn.semaphore.withPermits(1)(effect), leave)
      })

    const look = Effect.fnUntraced(function* (tokenHash: string, shares: ReadonlyArray<Share>) {
      const now = yield* Clock.currentTimeMillis
      const wait = Math.max(...shares.map(([address, factor]) => bad.waitOf(address, now, factor)))
      if (wait > 0) return yield* new TooManyBadTokens({ waitMillis: wait })
      const found = yield* find(tokenHash)
      if (found !== undefined) return found
      bad.remember(tokenHash, now)
      for (const [address, factor] of shares) bad.charge(address, now, factor)
      return yield* new InvalidToken()
    })

    /** In a fiber of its own, so that none of those who share it ends it by leaving. */
    const begin = Effect.fnUntraced(function* (tokenHash: string, shares: ReadonlyArray<Share>) {
      const looking: Looking<A> = { outcome: Deferred.makeUnsafe(), waiting: 1, begun: false, fiber: undefined }
      underWay.set(tokenHash, looking)
      const looked = Effect.suspend(() => {
        looking.begun = true
        return look(tokenHash, shares)
      })
      const ended = Effect.onExit(shares.reduce(inTurn, looked), (exit) => {
        if (underWay.get(tokenHash) === looking) underWay.delete(tokenHash)
        return Deferred.done(looking.outcome, exit)
      })
      looking.fiber = yield* Effect.forkIn(ended, scope)
      return looking
    })

    const join = (tokenHash: string, origin: () => Origin) =>
      Effect.suspend(() => {
        const looking = underWay.get(tokenHash)
        if (looking === undefined) return begin(tokenHash, sharesOf(origin()))
        looking.waiting++
        return Effect.succeed(looking)
      })

    const leave = (tokenHash: string, looking: Looking<A>) => {
      if (--looking.waiting > 0 || looking.begun) return
      underWay.delete(tokenHash)
      looking.fiber?.interruptUnsafe()
    }

    return (tokenHash, origin) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        bad.isRemembered(tokenHash, now)
          ? Effect.fail(new InvalidToken())
          : Effect.acquireUseRelease(
              join(tokenHash, origin),
              ({ outcome }) => Deferred.await(outcome),
              (looking) => Effect.sync(() => leave(tokenHash, looking)),
            ),
      )
  })
