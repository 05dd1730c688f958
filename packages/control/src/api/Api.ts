/**
 * The HTTP contract, the one source for server, typed client, `/openapi.json` and `/docs`. The api service serves the
 * customer's groups, the onboarding service the chat; together they are `PublicApi`.
 */
import { CustomerId } from "@berth/domain/Ids"
import { Phase, Step, SuspensionReason } from "@berth/domain/Lifecycle"
import { ModelId, SoldTierId } from "@berth/domain/Tiers"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import * as Schema from "effect/Schema"
import { InspectionGroup, StaffInspectionGroup } from "./InspectionApi.ts"
import { Conversation, Message } from "./Messages.ts"
import { AdminOnly, Authenticated, Forbidden } from "./Session.ts"

export class NotFound extends Schema.TaggedError<NotFound>()(
  "NotFound",
  { message: Schema.String },
  { httpApiStatus: 404 },
) {}

export class Conflict extends Schema.TaggedError<Conflict>()(
  "Conflict",
  { message: Schema.String },
  { httpApiStatus: 409 },
) {}

/** Too much, too long or too often; says what to do. */
export class Rejected extends Schema.TaggedError<Rejected>()(
  "Rejected",
  { message: Schema.String },
  { httpApiStatus: 422 },
) {}

/** A store does not answer; the same call may be made again. What its driver said stays in the log. */
export class StoreUnavailable extends Schema.TaggedError<StoreUnavailable>()(
  "StoreUnavailable",
  { store: Schema.Literals(["redis", "postgres"]), message: Schema.String },
  { httpApiStatus: 503 },
) {
  static readonly of = (store: "redis" | "postgres") =>
    new StoreUnavailable({ store, message: "Berth can't reach its database. Try again in a moment." })
}

const SessionView = Schema.Struct({
  accountId: CustomerId,
  /** The bearer, only for a client that asked for one; browsers get an HttpOnly cookie. */
  token: Schema.NullOr(Schema.String),
})

export class SessionGroup extends HttpApiGroup.make("session")
  .add(
    HttpApiEndpoint.post("open", "/", {
      payload: Schema.Struct({ bearer: Schema.optionalKey(Schema.Boolean) }),
      success: SessionView,
      /** A page of another site asked. */
      error: Forbidden,
    }),
  )
  .prefix("/api/session")
  .annotateMerge(
    OpenApi.annotations({
      description:
        "Opens an anonymous account, or tells whose session the cookie or bearer is. No authentication needed.",
    }),
  ) {}

export const OrderView = Schema.Struct({
  id: Schema.String,
  tier: SoldTierId,
  headline: Schema.String,
  status: Schema.Literals(["open", "paid", "canceled"]),
  checkoutUrl: Schema.NullOr(Schema.String),
})

/** What can be fetched of an agent that was deleted. */
const ExportView = Schema.Struct({
  /** A link that needs no login; whoever has it can fetch the data. */
  url: Schema.String,
  /** Bytes. */
  size: Schema.Int,
  /** Epoch ms. */
  expiresAt: Schema.Int,
})

export const AgentView = Schema.Struct({
  customerId: CustomerId,
  tier: SoldTierId,
  headline: Schema.String,
  phase: Phase,
  /** Whether it is active and messages get to it, as far as is known. */
  reachable: Schema.Boolean,
  /** In words, what that means and what to do. */
  summary: Schema.String,
  botUsername: Schema.String,
  botUrl: Schema.String,
  models: Schema.Array(ModelId),
  suspended: Schema.Array(SuspensionReason),
  steps: Schema.Array(Schema.Struct({ step: Step, at: Schema.Int })),
  failure: Schema.NullOr(Schema.Struct({ reason: Schema.String, message: Schema.String, retriable: Schema.Boolean })),
  export: Schema.NullOr(ExportView),
  /** What is wrong although it runs, and what to do about it; `since` is epoch ms. */
  troubles: Schema.Array(
    Schema.Struct({
      reason: Schema.String,
      message: Schema.String,
      /** Only you can mend it. */
      needsOwner: Schema.Boolean,
      since: Schema.Int,
    }),
  ),
})

const sums = {
  prompt: Schema.Int,
  cached: Schema.Int,
  completion: Schema.Int,
  charged: Schema.Int,
  /** What of `charged` the agent used by itself, for heartbeat and cron. */
  background: Schema.Int,
  requests: Schema.Int,
}

/** UTC, YYYY-MM-DD. */
const Day = Schema.Struct({ day: Schema.String, ...sums })
const Model = Schema.Struct({ model: Schema.String, ...sums })

/** Charged tokens that may be used in one UTC day; null for no such cap. */
const DailyCap = Schema.Struct({ cap: Schema.NullOr(Schema.Int) })

export const UsageView = Schema.Struct({
  headline: Schema.String,
  used: Schema.Int,
  held: Schema.Int,
  limit: Schema.Int,
  /** Epoch ms. */
  resetsAt: Schema.Int,
  paused: Schema.Boolean,
  /** The running UTC day, what was charged in it, and the cap that holds. */
  today: Schema.Struct({ used: Schema.Int, resetsAt: Schema.Int, ...DailyCap.fields }),
  /** The least that a daily cap can be. */
  leastDailyCap: Schema.Int,
  /** What the agent used by itself in this period, of the most that it may. */
  background: Schema.Struct({ used: Schema.Int, cap: Schema.Int }),
  /** The last 30 days with usage, oldest first. */
  days: Schema.Array(Day),
  /** This period's usage by model, the most charged first. */
  models: Schema.Array(Model),
  /** The newest calls, newest first, at most 20. */
  recent: Schema.Array(
    Schema.Struct({
      at: Schema.Int,
      model: Schema.String,
      prompt: Schema.Int,
      cached: Schema.Int,
      completion: Schema.Int,
      charged: Schema.Int,
      background: Schema.Boolean,
      estimated: Schema.Boolean,
    }),
  ),
})

export class AccountGroup extends HttpApiGroup.make("account")
  .add(
    HttpApiEndpoint.get("agent", "/agent", { success: AgentView, error: NotFound }),
    HttpApiEndpoint.get("usage", "/usage", { success: UsageView, error: [NotFound, StoreUnavailable] }),
    /** Holds within about a second, until it is set to null. */
    HttpApiEndpoint.put("dailyCap", "/agent/daily-cap", {
      payload: DailyCap,
      success: DailyCap,
      error: [NotFound, Rejected],
    }),
    /**
     * Ends the subscription, exports the agent's data and deletes the agent. `confirm` is the bot's name: there is no way
     * back. Accepted, it takes a few minutes; the mail with the export comes before anything is deleted.
     */
    HttpApiEndpoint.post("deletion", "/agent/deletion", {
      payload: Schema.Struct({ confirm: Schema.String }),
      success: Schema.Struct({}).annotate({ httpApiStatus: 202 }),
      error: [NotFound, Conflict, Rejected],
    }),
    HttpApiEndpoint.get("order", "/orders/:id", {
      params: { id: Schema.String },
      success: OrderView,
      error: NotFound,
    }),
  )
  .middleware(Authenticated)
  .prefix("/api") {}

export class ChatGroup extends HttpApiGroup.make("chat")
  .add(
    HttpApiEndpoint.post("open", "/", { success: Conversation }),
    HttpApiEndpoint.get("get", "/:id", { params: { id: Schema.String }, success: Conversation, error: NotFound }),
    HttpApiEndpoint.post("say", "/:id/messages", {
      params: { id: Schema.String },
      payload: Schema.Struct({
        text: Schema.String,
        /** Chosen by the client; saying the same id twice says it once. */
        clientId: Schema.NonEmptyString,
      }),
      success: Schema.Struct({
        conversation: Conversation,
        /** What was added by this call: the customer's words as stored, and the replies. */
        added: Schema.Array(Message),
      }),
      error: [NotFound, Rejected],
    }),
    /**
     * The customer came back from the payment page. Starts the agent if Stripe says paid, whether its webhook came or not;
     * may be repeated. `unpaid`: not as far as is known. `unavailable`: it could not be asked; the webhook will tell.
     */
    HttpApiEndpoint.post("returned", "/returned", {
      payload: Schema.Struct({ orderId: Schema.String }),
      success: Schema.Struct({ outcome: Schema.Literals(["accepted", "unpaid", "unavailable"]) }),
      error: NotFound,
    }),
  )
  .middleware(Authenticated)
  .prefix("/api/conversations") {}

export class AdminGroup extends HttpApiGroup.make("admin")
  .add(
    HttpApiEndpoint.get("customers", "/customers", {
      success: Schema.Array(Schema.Struct({ id: CustomerId, tier: SoldTierId, phase: Phase })),
    }),
  )
  .middleware(AdminOnly)
  .middleware(Authenticated)
  .prefix("/api/admin") {}

/** Everything that a browser may call. `POST /` of chat opens the account's one web conversation or returns it. */
export class PublicApi extends HttpApi.make("berth")
  .add(SessionGroup)
  .add(AccountGroup)
  .add(InspectionGroup)
  .add(ChatGroup)
  .add(AdminGroup)
  .add(StaffInspectionGroup)
  .annotateMerge(OpenApi.annotations({ title: "Berth", version: "1", description: "Hosted OpenClaw agents." })) {}

/** What the api service serves by itself. */
export class CustomerApi extends HttpApi.make("berth")
  .add(SessionGroup)
  .add(AccountGroup)
  .add(InspectionGroup)
  .add(AdminGroup)
  .add(StaffInspectionGroup) {}

/** What the onboarding service serves by itself. */
export class ChatApi extends HttpApi.make("berth").add(ChatGroup) {}
