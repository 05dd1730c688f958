/**
 * Step 1: whose request is this? A malformed token is refused without asking anyone; a known one costs no round trip.
 * Says nothing about the token still being live: admission decides that. On a store away: fails, never lets pass.
 */
import { Allowance } from "@berth/domain/Allowance"
import { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { StoreUnavailable } from "@berth/domain/Errors"
import type { CustomerId } from "@berth/domain/Ids"
import { hashOf, isWellFormed } from "@berth/domain/ProxyToken"
import type { TierId } from "@berth/domain/Tiers"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { InvalidToken } from "./Errors.ts"
import * as Standing from "./Standing.ts"

export interface Caller {
  readonly customerId: CustomerId
  readonly tokenHash: string
  /** As last seen; admission tells the present one. */
  readonly tier: TierId
}

/** Callers kept in memory; the least recently seen go first. */
const capacity = 50_000

export class Authenticate extends Context.Service<
  Authenticate,
  {
    /** Takes the `Authorization` header. */
    caller(authorization: string | undefined): Effect.Effect<Caller, InvalidToken | StoreUnavailable>
    /** Remembers the tier that admission found. */
    learn(caller: Caller, tier: TierId): void
  }
>()("@berth/proxy/Authenticate") {
  static readonly layer: Layer.Layer<Authenticate, never, Allowance | AllowanceSource> = Layer.effect(
    Authenticate,
    Effect.gen(function* () {
      const allowance = yield* Allowance
      const source = yield* AllowanceSource
      const standing = yield* Standing.make
      const known = new Map<string, Caller>()

      const remember = (caller: Caller): Caller => {
        known.delete(caller.tokenHash)
        known.set(caller.tokenHash, caller)
        const oldest = known.size > capacity ? known.keys().next().value : undefined
        if (oldest !== undefined) known.delete(oldest)
        return caller
      }

      const lookUp = Effect.fn("Authenticate.lookUp")(function* (tokenHash: string) {
        const cached = yield* allowance.customerOf(tokenHash)
        const customer = Option.isSome(cached) ? cached : yield* source.customerOf(tokenHash)
        if (Option.isNone(customer)) return yield* new InvalidToken()
        const customerId = customer.value
        const view = yield* standing.view(customerId)
        if (Option.isNone(view)) return yield* new InvalidToken()
        return remember({ customerId, tokenHash, tier: view.value.terms.tier })
      })

      return {
        caller: (authorization) => {
          const token = bearerOf(authorization)
          if (token === undefined || !isWellFormed(token)) return Effect.fail(new InvalidToken())
          const tokenHash = hashOf(token)
          const caller = known.get(tokenHash)
          return caller === undefined ? lookUp(tokenHash) : Effect.succeed(remember(caller))
        },
        learn: (caller, tier) => {
          remember({ ...caller, tier })
        },
      }
    }),
  )
}

const bearerOf = (authorization: string | undefined): string | undefined =>
  authorization !== undefined && /^bearer /i.test(authorization) ? authorization.slice(7).trim() : undefined
