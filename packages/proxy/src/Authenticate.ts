/**
 * Step 1: whose request is this? What can be no token is refused without asking anyone, and told what it looks like; a
 * known one costs no round trip; the others are looked up, within bounds (`LookUps`). Says nothing about the token still
 * being live: admission decides that. On a store away: fails, never lets pass. No token is ever echoed.
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
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type { Origin } from "./ClientAddress.ts"
import { ForeignKey, InvalidToken, TokenMistyped, type TooManyBadTokens } from "./Errors.ts"
import * as LookUps from "./LookUps.ts"
import * as Metrics from "./Metrics.ts"
import * as Standing from "./Standing.ts"

export interface Caller {
  readonly customerId: CustomerId
  readonly tokenHash: string
  /** As last seen; admission tells the present one. */
  readonly tier: TierId
}

/** Callers kept in memory; the least recently seen go first. */
const capacity = 50_000
/** Keys of other services begin so: Kimi, OpenAI, Anthropic and others; Groq; xAI; Google; GitHub. */
const foreign = /^(?:sk-|gsk_|xai-|AIza|gh[pousr]_)/

/** What a text that can be no token looks like. */
const faultOf = (token: string | undefined): InvalidToken | TokenMistyped | ForeignKey =>
  token === undefined
    ? new InvalidToken()
    : foreign.test(token)
      ? new ForeignKey()
      : token.startsWith("bth_")
        ? new TokenMistyped()
        : new InvalidToken()

/** Everything that can be wrong with a token here. */
export type TokenFault = InvalidToken | TokenMistyped | ForeignKey | TooManyBadTokens

export class Authenticate extends Context.Service<
  Authenticate,
  {
    /** Takes the `Authorization` header. `origin` is asked for unknown tokens alone. */
    caller(
      authorization: string | undefined,
      origin: () => Origin,
    ): Effect.Effect<Caller, TokenFault | StoreUnavailable>
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

      const count = ({ _tag: reason }: TokenFault | StoreUnavailable) =>
        reason === "StoreUnavailable"
          ? Effect.void
          : Metric.update(Metric.withAttributes(Metrics.badTokens, { reason }), 1)

      const find = Effect.fn("Authenticate.find")(function* (tokenHash: string) {
        const cached = yield* allowance.customerOf(tokenHash)
        const customer = Option.isSome(cached) ? cached : yield* source.customerOf(tokenHash)
        if (Option.isNone(customer)) return undefined
        const customerId = customer.value
        const view = yield* standing.view(customerId)
        return Option.isNone(view) ? undefined : remember({ customerId, tokenHash, tier: view.value.terms.tier })
      })

      const lookUp = yield* LookUps.make(find)

      return {
        caller: (authorization, origin) => {
          const token = bearerOf(authorization)
          if (token === undefined || !isWellFormed(token)) return Effect.tapError(Effect.fail(faultOf(token)), count)
          const tokenHash = hashOf(token)
          const caller = known.get(tokenHash)
          return caller === undefined
            ? Effect.tapError(lookUp(tokenHash, origin), count)
            : Effect.succeed(remember(caller))
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
