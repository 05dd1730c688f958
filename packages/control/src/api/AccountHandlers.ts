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
import { Orders } from "../billing/Orders.ts"
import { summarize } from "./AgentSummary.ts"
import { NotFound, PublicApi, StoreUnavailable } from "./Api.ts"
import { CurrentAccount } from "./Session.ts"
import { Site } from "./Site.ts"
import { UsageReport } from "./UsageReport.ts"

const AgentRow = Schema.Struct({
  desired: Desired,
  phase: Phase,
  steps: Schema.Array(Schema.Struct({ step: Step, at: Schema.Int })),
  failure: Schema.NullOr(Schema.Struct({ reason: Schema.String, message: Schema.String, retriable: Schema.Boolean })),
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
    return group.handleAll({
      agent: Effect.fn("Account.agent")(function* () {
        const { id } = yield* CurrentAccount
        const rows = yield* Effect.orDie(
          sql`SELECT desired, phase, steps, failure FROM agents WHERE customer_id = ${id}`,
        )
        if (rows[0] === undefined) return yield* new NotFound({ message: "You have no agent yet." })
        const { desired, failure, phase, steps } = yield* Effect.orDie(decodeAgent(rows[0]))
        const { botUsername } = desired.telegram
        return {
          customerId: id,
          tier: desired.tier,
          headline: headline(tiers[desired.tier]),
          phase,
          summary: summarize(phase, botUsername, desired.suspended, failure),
          botUsername,
          botUrl: site.telegram.bot(botUsername),
          models: desired.models,
          suspended: desired.suspended,
          steps,
          failure,
        }
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
