/**
 * Changes to what a customer may use. Each gets the customer's next number and an outbox row, in the caller's transaction,
 * so that Redis applies every change once and in order, or finds that one is missing and rebuilds.
 */
import { AllowanceChange } from "@berth/domain/Allowance"
import type { CustomerId } from "@berth/domain/Ids"
import { type TierId, tiers } from "@berth/domain/Tiers"
import { Work } from "@berth/domain/Work"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

/**
 * What stands in `allowances`, and what a change may set. Times are epoch ms, amounts charged tokens. What background turns
 * may use is no choice: it follows the tier.
 */
export interface Standing {
  readonly tier: TierId
  readonly plan: number
  readonly nextPlan: number
  readonly packs: number
  readonly anchor: number
  readonly serviceUntil: number
  readonly paused: boolean
  readonly blocked: boolean
  readonly dailyCap: number | null
}

const encode = Schema.encodeUnknownEffect(AllowanceChange)

export class Allowances extends Context.Service<
  Allowances,
  {
    /** The customer's first allowance with its first period, and the grant that goes with it. */
    open(
      customerId: CustomerId,
      standing: Standing,
      period: { readonly startsAt: number; readonly endsAt: number; readonly provisional: boolean },
    ): Effect.Effect<void, SqlError>
    /** Sets what `change` names; nothing is written if nothing differs. Nothing happens to a customer without allowance. */
    change(customerId: CustomerId, change: Partial<Standing>): Effect.Effect<void, SqlError>
    /** Tells the proxies about the live tokens, after `proxy_tokens` changed in the same transaction. */
    tokensChanged(customerId: CustomerId): Effect.Effect<void, SqlError>
  }
>()("@berth/control/Allowances") {
  static readonly layer: Layer.Layer<Allowances, never, SqlClient | Work> = Layer.effect(
    Allowances,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const work = yield* Work

      /** Offers the row as it now stands as the change that leads to its number. */
      const offer = Effect.fn("Allowances.offer")(function* (customerId: CustomerId, packsDelta: number) {
        const rows = yield* sql<{ readonly change: unknown; readonly rev: number }>`
          SELECT a.rev, jsonb_build_object(
            'customerId', a.customer_id, 'rev', a.rev, 'packsDelta', ${packsDelta}::bigint,
            'period', (SELECT max(number) FROM allowance_periods p WHERE p.customer_id = a.customer_id),
            'terms', jsonb_build_object(
              'tier', a.tier, 'plan', a.plan, 'nextPlan', a.next_plan, 'anchor', a.anchor,
              'serviceUntil', a.service_until, 'paused', a.paused, 'blocked', a.blocked,
              'dailyCap', a.daily_cap, 'backgroundCap', a.background_cap,
              'tokens', (SELECT coalesce(jsonb_agg(hash ORDER BY hash), '[]') FROM proxy_tokens t
                         WHERE t.customer_id = a.customer_id AND t.state = 'live'))) AS change
          FROM allowances a WHERE a.customer_id = ${customerId}`
        for (const { change, rev } of rows) {
          const payload = yield* encode(change).pipe(Effect.orDie)
          yield* work.offer({ id: `allowance:${customerId}:${rev}`, queue: "allowance", lane: customerId, payload })
        }
      })

      const write = Effect.fn("Allowances.write")(function* (customerId: CustomerId, next: Standing) {
        yield* sql`
          UPDATE allowances SET rev = rev + 1, tier = ${next.tier}, plan = ${next.plan}, next_plan = ${next.nextPlan},
            packs = ${next.packs}, anchor = ${next.anchor}, service_until = ${next.serviceUntil},
            paused = ${next.paused}, blocked = ${next.blocked}, daily_cap = ${next.dailyCap},
            background_cap = ${tiers[next.tier].backgroundTokens}
          WHERE customer_id = ${customerId}`
        // Once the period is closed, what settles late in it is held against the plan that it ended with.
        yield* sql`
          UPDATE allowance_periods SET plan = ${next.plan}
          WHERE customer_id = ${customerId} AND plan <> ${next.plan}
            AND number = (SELECT max(number) FROM allowance_periods WHERE customer_id = ${customerId})`
      })

      /** As the proxies' store does with the same change (Allowance/Change.ts): a moved anchor ends the running period. */
      const endAtAnchor = Effect.fn("Allowances.endAtAnchor")(function* (customerId: CustomerId, anchor: number) {
        yield* sql`
          UPDATE allowance_periods SET ends_at = ${anchor}
          WHERE customer_id = ${customerId} AND ends_at > ${anchor}
            AND number = (SELECT max(number) FROM allowance_periods WHERE customer_id = ${customerId})`
      })

      const standingOf = Effect.fn("Allowances.standingOf")(function* (customerId: CustomerId) {
        const rows = yield* sql<Standing>`
          SELECT tier, plan, next_plan AS "nextPlan", packs, anchor, service_until AS "serviceUntil", paused, blocked,
            daily_cap AS "dailyCap"
          FROM allowances WHERE customer_id = ${customerId} FOR UPDATE`
        return rows[0]
      })

      return Allowances.of({
        open: Effect.fn("Allowances.open")(function* (customerId, standing, period) {
          yield* sql`
            INSERT INTO allowances (customer_id, rev, tier, plan, next_plan, packs, anchor, service_until, paused, blocked,
                                    daily_cap, background_cap)
            VALUES (${customerId}, 1, ${standing.tier}, ${standing.plan}, ${standing.nextPlan}, ${standing.packs},
                    ${standing.anchor}, ${standing.serviceUntil}, ${standing.paused}, ${standing.blocked},
                    ${standing.dailyCap}, ${tiers[standing.tier].backgroundTokens})`
          yield* sql`
            INSERT INTO allowance_periods (customer_id, number, starts_at, ends_at, plan, provisional)
            VALUES (${customerId}, 0, ${period.startsAt}, ${period.endsAt}, ${standing.plan}, ${period.provisional})`
          yield* sql`
            INSERT INTO ledger_entries (source_id, customer_id, kind, period, tokens, at)
            VALUES (${`period:${customerId}:0`}, ${customerId}, 'grant', 0, ${standing.plan}, ${period.startsAt})`
          yield* offer(customerId, 0)
        }),
        change: Effect.fn("Allowances.change")(function* (customerId, change) {
          const standing = yield* standingOf(customerId)
          if (standing === undefined) return
          const next = { ...standing, ...change }
          const differs = (Object.keys(next) as Array<keyof Standing>).some((key) => next[key] !== standing[key])
          if (!differs) return
          if (next.anchor > standing.anchor) yield* endAtAnchor(customerId, next.anchor)
          yield* write(customerId, next)
          yield* offer(customerId, next.packs - standing.packs)
        }),
        tokensChanged: Effect.fn("Allowances.tokensChanged")(function* (customerId) {
          const standing = yield* standingOf(customerId)
          if (standing === undefined) return
          yield* write(customerId, standing)
          yield* offer(customerId, 0)
        }),
      })
    }),
  )
}
