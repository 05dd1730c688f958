/**
 * The pod's secrets on their way to the operator: sealed at once, kept as envelopes that control cannot open. Versions
 * of a purpose only grow; the newest is current.
 */
import type { CustomerId } from "@berth/domain/Ids"
import type { Sealed, SecretPurpose } from "@berth/domain/Jobs"
import { Sealer } from "@berth/domain/Seal"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"

export class AgentSecrets extends Context.Service<
  AgentSecrets,
  {
    /** Seals and stores a value as the next version of its purpose; that version. Joins the caller's transaction. */
    put(
      customerId: CustomerId,
      purpose: SecretPurpose,
      value: Redacted.Redacted<string>,
    ): Effect.Effect<number, SqlError>
    /** The newest envelope of each purpose. */
    current(customerId: CustomerId): Effect.Effect<ReadonlyArray<Sealed>, SqlError>
    /** The envelopes of these versions: what was sealed since then is not asked for yet. */
    ofVersions(
      customerId: CustomerId,
      versions: Readonly<Record<SecretPurpose, number>>,
    ): Effect.Effect<ReadonlyArray<Sealed>, SqlError>
  }
>()("@berth/control/AgentSecrets") {
  static readonly layer: Layer.Layer<AgentSecrets, never, SqlClient | Sealer> = Layer.effect(
    AgentSecrets,
    Effect.gen(function* () {
      const sql = yield* SqlClient
      const sealer = yield* Sealer
      const put = Effect.fn("AgentSecrets.put")(function* (
        customerId: CustomerId,
        purpose: SecretPurpose,
        value: Redacted.Redacted<string>,
      ) {
        const now = yield* Clock.currentTimeMillis
        // The account's row serialises writers, so that two never seal the same version.
        yield* sql`SELECT 1 FROM accounts WHERE id = ${customerId} FOR UPDATE`
        const rows = yield* sql<{ readonly version: number }>`
          SELECT coalesce(max(version), 0) AS version FROM agent_secrets
          WHERE customer_id = ${customerId} AND purpose = ${purpose}`
        const version = (rows[0]?.version ?? 0) + 1
        const sealed = yield* sealer.seal({ customerId, purpose, version }, value)
        yield* sql`INSERT INTO agent_secrets ${sql.insert({
          customer_id: customerId,
          purpose,
          version,
          envelope: sealed.envelope,
          created_at: now,
        })}`
        return version
      })
      return AgentSecrets.of({
        put: (customerId, purpose, value) => sql.withTransaction(put(customerId, purpose, value)),
        current: Effect.fn("AgentSecrets.current")(
          (customerId) => sql<Sealed>`
            SELECT DISTINCT ON (purpose) purpose, version, envelope FROM agent_secrets
            WHERE customer_id = ${customerId} ORDER BY purpose, version DESC`,
        ),
        ofVersions: Effect.fn("AgentSecrets.ofVersions")(
          (customerId, { botToken, gatewayToken, proxyToken }) => sql<Sealed>`
            SELECT purpose, version, envelope FROM agent_secrets
            WHERE customer_id = ${customerId}
              AND ((purpose = 'botToken' AND version = ${botToken})
                OR (purpose = 'gatewayToken' AND version = ${gatewayToken})
                OR (purpose = 'proxyToken' AND version = ${proxyToken}))
            ORDER BY purpose`,
        ),
      })
    }),
  )
}
