/** What the session's own account may read: its agent, its usage, its orders. Another's is not found. */
import { CustomerId } from "@berth/domain/Ids"
import { Desired } from "@berth/domain/Jobs"
import { Phase, Step } from "@berth/domain/Lifecycle"
import { headline, tiers } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import { HttpApiBuilder } from "effect/http-api"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { Allowances } from "../billing/Allowances.ts"
import type { Audit } from "../billing/Audit.ts"
import * as DailyCap from "../billing/DailyCap.ts"
import { Orders } from "../billing/Orders.ts"
import { isReachable, summarize } from "./AgentSummary.ts"
import { ExportLinks } from "../exports/ExportLinks.ts"
import { Exports } from "../exports/Exports.ts"
import * as AgentRequests from "../provision/AgentRequests.ts"
import { AgentView, Conflict, NotFound, PublicApi, Rejected, StoreUnavailable } from "./Api.ts"
import { CurrentAccount } from "./Session.ts"
import { Site } from "./Site.ts"
import { UsageReport } from "./UsageReport.ts"

const AgentRow = Schema.Struct({
  desired: Desired,
  phase: Phase,
  steps: Schema.Array(Schema.Struct({ step: Step, at: Schema.Int })),
  failure: Schema.NullOr(Schema.Struct({ reason: Schema.String, message: Schema.String, retriable: Schema.Boolean })),
  troubles: AgentView.fields.troubles,
})
const decodeAgent = Schema.decodeUnknownEffect(AgentRow)

export const accountHandlers = HttpApiBuilder.group(
  PublicApi,
  "account",
  Effect.fn(function* (group) {
    const sql = yield* SqlClient
    const orders = yield* Orders
    const site = yield* Site
    const report = yield* UsageReport
    const exports = yield* Exports
    const links = yield* ExportLinks
    const services = yield* Effect.context<SqlClient | Allowances | Audit>()
    return group.handleAll({
      agent: Effect.fn("Account.agent")(function* () {
        const { id } = yield* CurrentAccount
        const rows = yield* Effect.orDie(
          sql`SELECT desired, phase, steps, failure, troubles FROM agents WHERE customer_id = ${id}`,
        )
        if (rows[0] === undefined) return yield* new NotFound({ message: "You have no agent yet." })
        const { desired, failure, phase, steps, troubles } = yield* Effect.orDie(decodeAgent(rows[0]))
        const { botUsername } = desired.telegram
        return {
          customerId: id,
          tier: desired.tier,
          headline: headline(tiers[desired.tier]),
          phase,
          reachable: isReachable(phase, troubles),
          summary: summarize(phase, botUsername, desired.suspended, failure, troubles),
          botUsername,
          botUrl: site.telegram.bot(botUsername),
          models: desired.models,
          suspended: desired.suspended,
          steps,
          failure,
          export: Option.match(yield* Effect.orDie(exports.latest(id)), {
            onNone: () => null,
            onSome: (one) => ({ url: links.urlOf(one), size: one.size, expiresAt: one.expiresAt }),
          }),
          troubles,
        }
      }),
      deletion: Effect.fn("Account.deletion")(function* ({ payload: { confirm } }) {
        const { id } = yield* CurrentAccount
        const rows = yield* Effect.orDie(
          sql`SELECT desired, phase, steps, failure, troubles FROM agents WHERE customer_id = ${id}`,
        )
        if (rows[0] === undefined) return yield* new NotFound({ message: "You have no agent yet." })
        const { desired } = yield* Effect.orDie(decodeAgent(rows[0]))
        if (desired.deletion !== undefined)
          return yield* new Conflict({ message: "Your agent is being deleted already." })
        const { botUsername } = desired.telegram
        if (confirm.trim().replace(/^@/, "").toLowerCase() !== botUsername.toLowerCase())
          return yield* new Rejected({ message: `To delete your agent, type its name: ${botUsername}` })
        yield* AgentRequests.ask(id, "delete", "customer", "asked for on the page").pipe(
          Effect.provideContext(services),
          Effect.orDie,
        )
        return {}
      }),
      usage: Effect.fn("Account.usage")(function* () {
        const { id } = yield* CurrentAccount
        const usage = yield* report
          .of(id)
          .pipe(
            Effect.catchTag("StoreUnavailable", ({ operation, store }) =>
              Effect.andThen(
                Effect.logError("Usage could not be read", { operation, store }),
                Effect.fail(StoreUnavailable.of(store)),
              ),
            ),
          )
        return yield* Option.match(usage, {
          onNone: () => Effect.fail(new NotFound({ message: "You have no allowance yet." })),
          onSome: Effect.succeed,
        })
      }),
      dailyCap: Effect.fn("Account.dailyCap")(function* ({ payload: { cap } }) {
        const { id } = yield* CurrentAccount
        yield* DailyCap.set(id, cap).pipe(
          Effect.provideContext(services),
          Effect.catchTag("SqlError", (error) => Effect.die(error)),
        )
        return { cap }
      }),
      order: Effect.fn("Account.order")(function* ({ params }) {
        const { id } = yield* CurrentAccount
        const order = Option.getOrUndefined(yield* Effect.orDie(orders.find(params.id)))
        if (order === undefined || order.accountId !== id) {
          return yield* new NotFound({ message: "There is no such order." })
        }
        return {
          id: order.id,
          tier: order.tier,
          headline: headline(tiers[order.tier]),
          status: order.status,
          checkoutUrl: order.status === "open" ? order.checkoutUrl : null,
        }
      }),
    })
  }),
)

/** Nobody gets past `AdminOnly` yet; what staff will see is read all the same. */
export const adminHandlers = HttpApiBuilder.group(
  PublicApi,
  "admin",
  Effect.fn(function* (group) {
    const sql = yield* SqlClient
    const decode = Schema.decodeUnknownEffect(
      Schema.Array(Schema.Struct({ id: CustomerId, tier: Desired.fields.tier, phase: Phase })),
    )
    return group.handle("customers", () =>
      sql`SELECT customer_id AS id, desired->>'tier' AS tier, phase FROM agents ORDER BY customer_id LIMIT 1000`.pipe(
        Effect.flatMap(decode),
        Effect.orDie,
      ),
    )
  }),
)
