/** The customers of a run: most have more than they can use, one has just enough to come to its end again and again. */
import { randomBytes } from "node:crypto"
import * as Postgres from "@berth/domain/live/Postgres"
import { CustomerId } from "@berth/domain/Ids"
import { migrate } from "@berth/domain/Migrations"
import { hashOf, mint } from "@berth/domain/ProxyToken"
import { Work } from "@berth/domain/Work"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { Allowances } from "../../packages/control/src/billing/Allowances.ts"
import type { Dice } from "./Dice.ts"

export interface Customer {
  readonly customerId: CustomerId
  readonly token: string
  readonly plan: number
}

export const make = (count: number): ReadonlyArray<Customer> =>
  Array.from({ length: count }, (_, index) => ({
    customerId: CustomerId.make(`customer-${index}`),
    token: Redacted.value(mint(randomBytes(32))),
    plan: index === 0 ? 4_000 : 20_000_000,
  }))

const month = 30 * 86_400_000

const billing = (databaseUrl: string) =>
  Allowances.layer.pipe(
    Layer.provideMerge(Work.layer),
    Layer.provideMerge(Postgres.layer(Redacted.make(databaseUrl), 1)),
  )

/** Writes them as a purchase would have left them. */
export const insert = (databaseUrl: string, customers: ReadonlyArray<Customer>) =>
  Effect.gen(function* () {
    const sql = yield* SqlClient
    const allowances = yield* Allowances
    yield* migrate
    const now = Date.now()
    for (const { customerId, token, plan } of customers) {
      yield* sql`INSERT INTO accounts (id, kind, created_at) VALUES (${customerId}, 'customer', ${now})`
      yield* sql`
        INSERT INTO proxy_tokens (hash, customer_id, state, created_at)
        VALUES (${hashOf(token)}, ${customerId}, 'live', ${now})`
      const standing = { tier: "team" as const, plan, nextPlan: plan, packs: 0, anchor: now, dailyCap: null }
      yield* sql.withTransaction(
        allowances.open(
          customerId,
          { ...standing, serviceUntil: now + 12 * month, paused: false, blocked: false },
          { startsAt: now, endsAt: now + month, provisional: false },
        ),
      )
    }
  }).pipe(Effect.provide(billing(databaseUrl)), Effect.orDie)

/** Now and then somebody buys a pack or pauses for a moment; what Postgres can't take just then does not happen. */
export const changes = (databaseUrl: string, customers: ReadonlyArray<Customer>, luck: Dice) =>
  Effect.gen(function* () {
    while (true) {
      yield* Effect.sleep(luck.between(300, 900))
      const { customerId } = luck.chance(0.4) ? (customers[0] as Customer) : luck.pick(customers)
      const paused = luck.chance(0.2)
      const pack = paused ? 0 : 100 * luck.between(1, 20)
      const change = Effect.gen(function* () {
        const sql = yield* SqlClient
        const allowances = yield* Allowances
        const [row] = yield* sql<{ readonly packs: number }>`
          SELECT packs FROM allowances WHERE customer_id = ${customerId} FOR UPDATE`
        yield* allowances.change(customerId, { paused, packs: (row?.packs ?? 0) + pack })
      })
      yield* Effect.gen(function* () {
        yield* (yield* SqlClient).withTransaction(change)
      }).pipe(Effect.provide(billing(databaseUrl)), Effect.exit)
    }
  })
