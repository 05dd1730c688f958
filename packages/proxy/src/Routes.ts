/** What the proxy answers: the chat route, the models of the customer's tier, the customer's usage, and 404 for the rest. */
import type { AllowanceView } from "@berth/domain/Allowance"
import { tiers } from "@berth/domain/Tiers"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { Authenticate } from "./Authenticate.ts"
import * as ChatCompletions from "./ChatCompletions.ts"
import { InvalidToken, type Refusal, RouteUnknown, TokenRevoked } from "./Errors.ts"
import * as RequestIds from "./RequestIds.ts"
import * as Standing from "./Standing.ts"

const { refuse, rateHeaders } = ChatCompletions

export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const authenticate = yield* Authenticate
    const standing = yield* Standing.make
    const nextId = yield* RequestIds.make
    const complete = yield* ChatCompletions.make(nextId)
    const named = (response: HttpServerResponse.HttpServerResponse) =>
      HttpServerResponse.setHeader(response, "x-request-id", nextId())

    /** The allowance of whoever asks, if the token is still live. Paused and suspended customers may look. */
    const viewOf = Effect.fn("Routes.viewOf")(function* (request: HttpServerRequest.HttpServerRequest) {
      const { customerId, tokenHash } = yield* authenticate.caller(request.headers["authorization"])
      const view = yield* standing.view(customerId)
      if (Option.isNone(view)) return yield* new InvalidToken()
      if (!view.value.terms.tokens.includes(tokenHash)) return yield* new TokenRevoked()
      return view.value
    })
    const answering = (render: (view: AllowanceView) => unknown) => (request: HttpServerRequest.HttpServerRequest) =>
      viewOf(request).pipe(
        Effect.map((view) =>
          HttpServerResponse.jsonUnsafe(render(view), {
            headers: rateHeaders(view.limit, view.limit - view.used - view.held),
          }),
        ),
        Effect.catch((refusal: Refusal) => Effect.succeed(refuse(refusal))),
        Effect.map(named),
      )
    const unknown = (request: HttpServerRequest.HttpServerRequest) =>
      Effect.sync(() =>
        named(refuse(new RouteUnknown({ method: request.method, path: request.url.replace(/\?.*/, "") }))),
      )

    yield* router.add("POST", "/v1/chat/completions", complete)
    yield* router.add("GET", "/v1/models", answering(modelsOf))
    yield* router.add("GET", "/v1/usage", answering(usageOf))
    yield* router.add("*", "/*", unknown)
  }),
)

const modelsOf = (view: AllowanceView) => ({
  object: "list",
  data: tiers[view.terms.tier].models.map((id) => ({ id, object: "model", created: 0, owned_by: "moonshot" })),
})

/** Charged tokens; `resets_at` in ISO 8601. */
const usageOf = (view: AllowanceView) => ({
  object: "usage",
  tier: view.terms.tier,
  used: view.used,
  held: view.held,
  limit: view.limit,
  remaining: Math.max(0, view.limit - view.used - view.held),
  resets_at: DateTime.formatIso(DateTime.makeUnsafe(view.periodEnd)),
  paused: view.terms.paused,
  suspended: view.terms.blocked,
})
