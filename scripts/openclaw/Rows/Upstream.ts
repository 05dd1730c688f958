/** What the upstream may do, as it comes through the proxy to OpenClaw and its user. */
import type { UsageEvent } from "@berth/domain/Usage"
import * as Effect from "effect/Effect"
import * as Stub from "../../../packages/proxy/test/StubUpstream.ts"
import type { Exchange } from "../Relay.ts"
import type { Row } from "../Row.ts"
import { counts, normal, type Stage } from "../Stage.ts"
import * as Obstacles from "./Obstacles.ts"

const account = "Your account org-1 <ak-2> request reached"
const kimi = {
  rateLimited: Stub.failing(429, "rate_limit_reached_error", `${account} max RPM: 3, please try again after 1 seconds`),
  overloaded: Stub.failing(429, "engine_overloaded_error", "The engine is currently overloaded"),
  down: Stub.failing(500, "server_error", "internal error"),
}
const noProvider = /The model provider is not available to us at the moment; .* We have been told\.$/

/** The answer is the ordinary one, so that the user sees nothing of it. */
const unseen = (name: string, obstacle: Row["obstacle"], requests: Row["requests"], more: Partial<Row> = {}): Row => ({
  name,
  obstacle,
  requests,
  sees: normal,
  next: true,
  ...more,
})
const ours = (name: string, behaviour: Stub.Behaviour, words: RegExp = noProvider): Row => ({
  name,
  obstacle: Obstacles.upstream(behaviour),
  requests: [1, 1],
  sees: words,
  again: words,
  next: true,
})

const isCounted = (event: UsageEvent) => event._tag === "usage"

/** The first try was billed once, for what was seen of it, and the second as reported, both tied to the same turn. */
const billedApart = (stage: Stage, exchanges: ReadonlyArray<Exchange>) =>
  Effect.map(stage.events, (events) => {
    const traces = new Set(exchanges.map(({ traceId }) => traceId))
    const own = events.filter(isCounted).filter(({ traceId }) => traces.has(traceId))
    const [first, second, ...more] = own
    const problems: Array<string> = []
    if (traces.size !== 1) problems.push(`the tries carry ${traces.size} trace ids`)
    if (first === undefined || second === undefined || more.length > 0) problems.push(`${own.length} usage events`)
    else {
      if (!first.estimated) problems.push("the first try was not settled by estimate")
      if (second.estimated) problems.push("the second try was settled by estimate")
      if (second.charge !== counts.prompt + counts.completion) problems.push(`the second try cost ${second.charge}`)
      // Its words, four to a token at least, and the prompt.
      if (first.usage.completion > 40) problems.push(`the first try counts ${first.usage.completion} completion tokens`)
    }
    return problems
  })

export const rows: ReadonlyArray<Row> = [
  unseen("upstream: 500 once", Obstacles.upstreamFirst(kimi.down), [1, 1]),
  unseen("upstream: 500 four times", Obstacles.upstreamFirst(kimi.down, kimi.down, kimi.down, kimi.down), [2, 2]),
  unseen("upstream: HTML 504 once", Obstacles.upstreamFirst(Stub.html504), [1, 1]),
  unseen("upstream: rate limit once, wait 1 s", Obstacles.upstreamFirst(kimi.rateLimited), [1, 1]),
  unseen("upstream: overloaded for 8 s", Obstacles.passing(8, Obstacles.upstream(kimi.overloaded)), [2, 6]),
  unseen("upstream: reset before its answer, once", Obstacles.upstreamFirst(Stub.resettingAtOnce), [1, 1]),
  unseen("upstream: reset in the midst of its answer", Obstacles.upstreamFirst(Stub.resetting(8)), [2, 2], {
    verify: billedApart,
  }),
  unseen(
    "upstream: ends without finish_reason or [DONE]",
    Obstacles.upstreamFirst(Stub.sending([Stub.word(0), Stub.word(1), Stub.word(2)])),
    [2, 2],
    { verify: billedApart },
  ),
  unseen(
    "upstream: overload told in the midst of its answer",
    Obstacles.upstreamFirst(
      Stub.sending([Stub.word(0), Stub.word(1), Stub.errorEvent("engine_overloaded_error", "overloaded")]),
    ),
    [2, 2],
    { verify: billedApart },
  ),
  ours(
    "upstream: our quota is used up",
    Stub.failing(
      429,
      "exceeded_current_quota_error",
      `${account} and is suspended, please check your plan and billing`,
    ),
  ),
  ours("upstream: 402 insufficient_quota", Stub.failing(402, "insufficient_quota", "You exceeded your current quota")),
  ours("upstream: our key is refused", Stub.failing(401, "invalid_authentication_error", "Invalid Authentication")),
  ours(
    "upstream: quota told in the first event of a 200",
    Stub.sending([Stub.errorEvent("insufficient_quota", "You exceeded your current quota")]),
  ),
  ours(
    "upstream: the model is retired",
    Stub.failing(404, "resource_not_found_error", "Not found the model kimi-k2.6"),
    /The model provider does not offer this model at the moment; /,
  ),
  {
    name: "upstream: rejects the request",
    obstacle: Obstacles.upstream(Stub.failing(400, "invalid_request_error", "Invalid request: tool_choice is bad")),
    requests: [1, 1],
    sees: /provider rejected the request schema or tool payload/,
    next: true,
  },
  ours(
    "upstream: filters the content",
    Stub.failing(400, "content_filter", "The request was rejected: high risk"),
    /declines this conversation by its rules on content, .* begin anew with \/new\.$/,
  ),
  {
    name: "upstream: rate limit without end",
    obstacle: Obstacles.upstream(kimi.rateLimited),
    requests: [4, 12],
    sees: /rate.?limit/i,
    windowSeconds: 240,
    next: true,
  },
  {
    name: "upstream: down without end",
    obstacle: Obstacles.upstream(kimi.down),
    requests: [4, 10],
    sees: /temporary internal error|temporarily|usually temporary/,
    windowSeconds: 240,
    next: true,
  },
]
