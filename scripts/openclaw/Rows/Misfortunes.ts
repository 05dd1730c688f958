/** What may befall the platform in the midst of a turn, of which the user should see nothing. */
import * as Effect from "effect/Effect"
import * as Stub from "../../../packages/proxy/test/StubUpstream.ts"
import type { Row } from "../Row.ts"
import { counts, normal, type Stage } from "../Stage.ts"
import * as Obstacles from "./Obstacles.ts"

const chunk = (delta: object, finish: string | null = null) =>
  `data: ${JSON.stringify({
    id: "chatcmpl-stub",
    object: "chat.completion.chunk",
    created: 1,
    model: "kimi-k2.6",
    choices: [{ index: 0, delta, finish_reason: finish }],
  })}\n\n`

/** Two tools one after the other, then the ordinary words: three requests for one message of the user. */
const working: Stub.Behaviour = (received, response) => {
  const roles: ReadonlyArray<string> = received.body.messages.map((message: { role: string }) => message.role)
  const done = roles.slice(roles.lastIndexOf("system")).filter((role) => role === "tool").length
  if (done % 2 === 0 && roles.at(-2) === "tool" && done > 0)
    return Stub.streaming(counts, { words: 4, pauseMillis: 20 })(received, response)
  const call = { index: 0, id: `call_${done}`, type: "function" }
  const named = { name: "exec", arguments: JSON.stringify({ command: "sleep 3; echo done" }) }
  const asked = chunk({ role: "assistant", content: null, tool_calls: [{ ...call, function: named }] })
  return Stub.sending([asked, chunk({}, "tool_calls"), Stub.counted.onTop(Stub.usageJson(counts)), Stub.done])(
    received,
    response,
  )
}

const slow = Stub.streaming(counts, { words: 16, pauseMillis: 1_000 })

/** Waits until the upstream answers. */
const answering = (stage: Stage) =>
  Effect.gen(function* () {
    while (stage.upstream.load.now === 0) yield* Effect.sleep(20)
  })

/** Redis is stopped in the midst of an answer, or once it is over, and started again ten seconds later. */
const restartRedis = (when: "during" | "after") => (stage: Stage) =>
  Effect.gen(function* () {
    const before = stage.upstream.received.length
    if (when === "during") yield* Effect.andThen(answering(stage), Effect.sleep("3 seconds"))
    else while (stage.upstream.received.length === before) yield* Effect.sleep(20)
    yield* stage.redis.stop
    yield* Effect.ensuring(Effect.sleep(10_000), Effect.orDie(stage.redis.start))
  })

/** Nothing stays held, and nothing was lost. */
const settled = (stage: Stage) =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 100; tries++) {
      if ((yield* stage.view).held === 0) break
      yield* Effect.sleep(200)
    }
    const { held, used } = yield* stage.view
    const events = yield* stage.events
    const charged = events.reduce((sum, event) => sum + ("charge" in event ? event.charge : 0), 0)
    return [
      ...(held === 0 ? [] : [`${held} tokens are still held`]),
      ...(events.some((event) => event._tag === "lost") ? ["a call was lost"] : []),
      ...(charged === used ? [] : [`used is ${used}, its events come to ${charged}`]),
    ]
  })

export const rows: ReadonlyArray<Row> = [
  {
    name: "Redis is away for 10 s as the user writes",
    obstacle: Obstacles.passing(10, Obstacles.redisAway),
    requests: [2, 6],
    sees: normal,
    next: true,
    verify: settled,
  },
  {
    name: "Redis restarts, 10 s, in the midst of an answer",
    obstacle: Obstacles.upstream(slow),
    meanwhile: restartRedis("during"),
    requests: [1, 1],
    sees: normal,
    next: true,
    verify: settled,
  },
  {
    name: "Redis restarts, 10 s, between two tools of a turn",
    obstacle: Obstacles.upstream(working),
    meanwhile: restartRedis("after"),
    requests: [3, 8],
    sees: normal,
    windowSeconds: 90,
    next: true,
    verify: settled,
  },
  {
    name: "the proxy drains and starts again in the midst of an answer",
    obstacle: Obstacles.upstream(slow),
    meanwhile: (stage) =>
      Effect.gen(function* () {
        yield* Effect.andThen(answering(stage), Effect.sleep("3 seconds"))
        yield* stage.proxy.child.stop
        stage.proxy.child = yield* stage.proxy.start
      }),
    requests: [1, 1],
    sees: normal,
    windowSeconds: 60,
    next: true,
    verify: settled,
  },
  {
    name: "the proxy is killed in the midst of an answer and starts again",
    obstacle: Obstacles.upstreamFirst(slow),
    meanwhile: (stage) =>
      Effect.gen(function* () {
        yield* Effect.andThen(answering(stage), Effect.sleep("3 seconds"))
        stage.proxy.child.signal("SIGKILL")
        yield* stage.proxy.child.ended
        stage.proxy.child = yield* stage.proxy.start
      }),
    requests: [2, 4],
    sees: normal,
    windowSeconds: 60,
    next: true,
  },
]
