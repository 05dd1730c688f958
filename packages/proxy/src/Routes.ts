/** What the proxy answers: the chat route, the models of the customer's tier, and the customer's usage. `FrontDoor` answers the rest. */
import type { IncomingMessage } from "node:http"
import type { AllowanceView } from "@berth/domain/Allowance"
import type { CustomerId } from "@berth/domain/Ids"
import * as Tiers from "@berth/domain/Tiers"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import { Authenticate } from "./Authenticate.ts"
import * as ChatCompletions from "./ChatCompletions.ts"
import { offered } from "./Check.ts"
import * as ClientAddress from "./ClientAddress.ts"
import { InvalidToken, type Refusal, TokenRevoked } from "./Errors.ts"
import * as FrontDoor from "./FrontDoor.ts"
import { rateHeaders } from "./RateHeaders.ts"
import { refuse } from "./Refuse.ts"
import * as RequestIds from "./RequestIds.ts"
import { Settings } from "./Settings.ts"
import * as Standing from "./Standing.ts"
import * as UsageAnswer from "./UsageAnswer.ts"

export const layer = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const authenticate = yield* Authenticate
    const standing = yield* Standing.make
    const { bodyBytes, trustedHops } = yield* Settings
    const nextId = yield* RequestIds.make
    const complete = yield* ChatCompletions.make(nextId)
    const usageOf = yield* UsageAnswer.make

    /** The allowance of whoever asks, if the token is still live. Paused and suspended customers may look. */
    const viewOf = Effect.fn("Routes.viewOf")(function* (request: HttpServerRequest.HttpServerRequest) {
      const incoming = NodeHttpServerRequest.toIncomingMessage(request) as IncomingMessage
      const origin = () => ClientAddress.originOf(incoming, trustedHops)
      const { customerId, tokenHash } = yield* authenticate.caller(incoming.headers.authorization, origin)
      const view = yield* standing.view(customerId)
      if (Option.isNone(view)) return yield* new InvalidToken()
      if (!view.value.terms.tokens.includes(tokenHash)) return yield* new TokenRevoked()
      return { customerId, view: view.value }
    })
    const answering =
      <E extends Refusal>(render: (view: AllowanceView, customerId: CustomerId) => Effect.Effect<unknown, E>) =>
      (request: HttpServerRequest.HttpServerRequest) =>
        Effect.gen(function* () {
          const { customerId, view } = yield* viewOf(request)
          const { limit, used, held, periodEnd } = view
          const headers = rateHeaders(
            { limit, remaining: limit - used - held, periodEnd },
            yield* Clock.currentTimeMillis,
          )
          return HttpServerResponse.jsonUnsafe(yield* render(view, customerId), { headers })
        }).pipe(Effect.catch(refuse))
    const models = answering((view) => Effect.succeed(modelsOf(view)))
    const usage = answering((view, customerId) => usageOf(customerId, view))
    const model = (request: HttpServerRequest.HttpServerRequest) =>
      Effect.flatMap(HttpRouter.params, ({ id = "" }) =>
        answering((view) => Effect.map(offered(view.terms.tier, id), modelOf))(request),
      )

    yield* router.addGlobalMiddleware(FrontDoor.make({ nextId, lingerBytes: bodyBytes }))
    yield* router.add("POST", "/v1/chat/completions", complete)
    yield* router.add("GET", "/v1/models", models)
    yield* router.add("GET", "/v1/models/:id", model)
    yield* router.add("GET", "/v1/usage", usage)
  }),
)

/** As Kimi lists them: OpenAI's members and the length of the context. */
const modelOf = (id: Tiers.ModelId) => ({
  id,
  object: "model",
  created: 0,
  owned_by: "moonshot",
  context_length: Tiers.models[id].contextTokens,
})
const modelsOf = (view: AllowanceView) => ({ object: "list", data: Tiers.tiers[view.terms.tier].models.map(modelOf) })
