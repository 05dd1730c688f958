/**
 * The HTTP contract, the one source for server, typed client, `/openapi.json` and `/docs`. The api service serves the
 * customer's groups, the onboarding service the chat; together they are `PublicApi`.
 */
import { CustomerId } from "@berth/domain/Ids"
import { Phase, Step, SuspensionReason } from "@berth/domain/Lifecycle"
import { ModelId, SoldTierId } from "@berth/domain/Tiers"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import * as Schema from "effect/Schema"
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

export const AgentView = Schema.Struct({
  customerId: CustomerId,
  tier: SoldTierId,
  headline: Schema.String,
  phase: Phase,
  /** In words, what the phase means and what to do. */
  summary: Schema.String,
  botUsername: Schema.String,
  botUrl: Schema.String,
  models: Schema.Array(ModelId),
  suspended: Schema.Array(SuspensionReason),
  steps: Schema.Array(Schema.Struct({ step: Step, at: Schema.Int })),
  failure: Schema.NullOr(Schema.Struct({ reason: Schema.String, message: Schema.String, retriable: Schema.Boolean })),
})

const Day = Schema.Struct({
  /** UTC, YYYY-MM-DD. */
  day: Schema.String,
  prompt: Schema.Int,
  cached: Schema.Int,
  completion: Schema.Int,
  charged: Schema.Int,
  requests: Schema.Int,
})

export const UsageView = Schema.Struct({
  headline: Schema.String,
  used: Schema.Int,
  held: Schema.Int,
  limit: Schema.Int,
  /** Epoch ms. */
  resetsAt: Schema.Int,
  paused: Schema.Boolean,
  days: Schema.Array(Day),
  /** The newest calls, newest first, at most 20. */
  recent: Schema.Array(
    Schema.Struct({
      at: Schema.Int,
      model: Schema.String,
      prompt: Schema.Int,
      cached: Schema.Int,
      completion: Schema.Int,
      charged: Schema.Int,
      estimated: Schema.Boolean,
    }),
  ),
})

export class AccountGroup extends HttpApiGroup.make("account")
  .add(
    HttpApiEndpoint.get("agent", "/agent", { success: AgentView, error: NotFound }),
    HttpApiEndpoint.get("usage", "/usage", { success: UsageView, error: [NotFound, StoreUnavailable] }),
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
  .add(ChatGroup)
  .add(AdminGroup)
  .annotateMerge(OpenApi.annotations({ title: "Berth", version: "1", description: "Hosted OpenClaw agents." })) {}

/** What the api service serves by itself. */
export class CustomerApi extends HttpApi.make("berth").add(SessionGroup).add(AccountGroup).add(AdminGroup) {}

/** What the onboarding service serves by itself. */
export class ChatApi extends HttpApi.make("berth").add(ChatGroup) {}
