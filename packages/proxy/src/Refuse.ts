/** The answer to a refused request, as `Errors` words it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type { Turn } from "./Background.ts"
import { answerOf, bodyOf, quietly, type Refusal } from "./Errors.ts"
import { rateHeaders } from "./RateHeaders.ts"

/** `turn` is what the request was for, as far as is known. */
export const refuse = (refusal: Refusal, turn: Turn = "person"): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const answer = turn === "heartbeat" ? quietly(answerOf(refusal)) : answerOf(refusal)
    return HttpServerResponse.text(bodyOf(answer), {
      status: answer.status,
      contentType: "application/json",
      headers: {
        ...(answer.retryAfter === undefined ? {} : { "retry-after": String(answer.retryAfter) }),
        // OpenAI's own clients try a 429 again by themselves; this is how they are told that it is in vain.
        ...(answer.status === 429 && answer.retryAfter === undefined ? { "x-should-retry": "false" } : {}),
        ...(refusal._tag === "UsageLimitReached"
          ? rateHeaders({ limit: refusal.limit, remaining: 0, periodEnd: refusal.resetsAt }, now)
          : {}),
      },
    })
  })
