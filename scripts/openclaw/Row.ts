/** One row of the table: an obstacle, what the user of the agent should see of it, and how it is played. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type { Exchange } from "./Relay.ts"
import { normal, type Stage } from "./Stage.ts"

export interface Row {
  readonly name: string
  /** Puts the obstacle up; its finalizers take it away. */
  readonly obstacle: (stage: Stage) => Effect.Effect<void, unknown, Scope.Scope>
  /** What begins the turn; by default the user writes to the agent. */
  readonly turn?: (stage: Stage) => Effect.Effect<unknown, unknown>
  /** Runs beside the turn, once it was begun: what happens in its midst. */
  readonly meanwhile?: (stage: Stage) => Effect.Effect<void, unknown, Scope.Scope>
  /** Requests that one message may cost, at least and at most, within the window. */
  readonly requests: readonly [least: number, most: number]
  /** What the user reads while the obstacle stands; undefined: nothing. */
  readonly sees: RegExp | undefined
  /** What a second message gets while the obstacle stands; undefined: not tried. */
  readonly again?: RegExp
  /** How long the first message is watched for an answer. Default 45 s. */
  readonly windowSeconds?: number
  /** Whether the user's next message works once the obstacle is gone. If not, the agent is then started anew. */
  readonly next: boolean
  /** What else must be true afterwards; a line for each thing that is not. */
  readonly verify?: (stage: Stage, exchanges: ReadonlyArray<Exchange>) => Effect.Effect<ReadonlyArray<string>, unknown>
}

export interface Outcome {
  readonly name: string
  readonly requests: number
  /** How many of them reached the upstream, the proxy's own further tries included. */
  readonly upstream: number
  /** `429 usage_limit_reached`, as the proxy answered, the same ones counted together. */
  readonly answers: ReadonlyArray<string>
  readonly sees: ReadonlyArray<string>
  /** Seconds until the user saw something. */
  readonly after: number | undefined
  readonly again: ReadonlyArray<string> | undefined
  readonly next: boolean
  readonly problems: ReadonlyArray<string>
}

const pollMillis = 200
/** An answer is followed by nothing more for so long before it is taken for the last word. */
const quietMillis = 4_000

/** What stands in the chat while the agent uses its tools, to become the answer. */
const progress = /^Working\b/

/** Waits for something from the bot after this message, then until it falls silent; what it wrote, and after how long. */
const listen = Effect.fnUntraced(function* (stage: Stage, message: number, millis: number) {
  const begun = performance.now()
  let seen: ReadonlyArray<string> = []
  while (seen.every((text) => progress.test(text)) && performance.now() - begun < millis) {
    yield* Effect.sleep(pollMillis)
    seen = yield* stage.telegram.after(message)
  }
  const after = seen.length === 0 ? undefined : Math.round((performance.now() - begun) / 100) / 10
  if (after !== undefined) yield* Effect.sleep(quietMillis)
  return { seen: yield* stage.telegram.after(message), after }
})

const codeIn = (answer: string): string => {
  try {
    const { code, type } = (JSON.parse(answer) as { error: { code: string | null; type: string } }).error
    return ` ${code ?? type}`
  } catch {
    return ""
  }
}
const answerOf = (exchange: Exchange): string =>
  exchange.status === undefined
    ? "no answer"
    : `${exchange.status}${codeIn(exchange.answer)}${exchange.status === 200 && !exchange.whole ? " cut" : ""}`

const tally = (answers: ReadonlyArray<string>): ReadonlyArray<string> =>
  [...new Set(answers)].map((one) => {
    const times = answers.filter((other) => other === one).length
    return times === 1 ? one : `${times} × ${one}`
  })

const told = (seen: ReadonlyArray<string>): string => (seen.length === 0 ? "nothing" : JSON.stringify(seen.join(" | ")))
const differs = (what: string, seen: ReadonlyArray<string>, expected: RegExp | undefined): ReadonlyArray<string> => {
  const right = expected === undefined ? seen.length === 0 : seen.length === 1 && expected.test(seen[0] ?? "")
  return right ? [] : [`${what}: expected ${expected === undefined ? "nothing" : String(expected)}, saw ${told(seen)}`]
}

/** Plays a row. The user's next message is also what brings the agent back to rest. */
export const play = Effect.fnUntraced(function* (stage: Stage, row: Row) {
  const { relay, telegram, upstream } = stage
  const before = relay.exchanges.length
  const servedBefore = upstream.received.length
  const begin = row.turn ?? (() => telegram.say(`row ${row.name}`))
  const turn = yield* Effect.scoped(
    Effect.gen(function* () {
      yield* row.obstacle(stage)
      const from = yield* telegram.newest
      yield* begin(stage)
      const beside = yield* Effect.forkScoped(row.meanwhile?.(stage) ?? Effect.void)
      const first = yield* listen(stage, from, (row.windowSeconds ?? 45) * 1_000)
      yield* Fiber.join(beside)
      const seen = { from, first, requests: relay.exchanges.length - before }
      const upstreamRequests = upstream.received.length - servedBefore
      if (row.again === undefined) return { ...seen, upstreamRequests, again: undefined }
      const repeated = yield* telegram.newest
      yield* begin(stage)
      return { ...seen, upstreamRequests, again: (yield* listen(stage, repeated, 45_000)).seen }
    }),
  )
  const exchanges = relay.exchanges.slice(before, before + turn.requests)

  // A turn that was still trying ends first, now that nothing is in its way.
  const isTrying = turn.first.seen.length === 0 && row.sees !== undefined
  const late = isTrying ? (yield* listen(stage, turn.from, 150_000)).seen : []
  const asked = yield* telegram.newest
  yield* telegram.say(`after ${row.name}`)
  const next = (yield* listen(stage, asked, 60_000)).seen.some((text) => normal.test(text))
  if (!row.next) yield* stage.renewAgent

  const [least, most] = row.requests
  const problems = [
    ...(turn.requests < least || turn.requests > most
      ? [`requests: expected ${least} to ${most}, saw ${turn.requests}`]
      : []),
    ...differs("the user", turn.first.seen, row.sees),
    ...(turn.again === undefined ? [] : differs("the user, again", turn.again, row.again)),
    ...(next === row.next ? [] : [`next message: expected ${row.next ? "a reply" : "none"}`]),
    ...(row.verify === undefined ? [] : yield* row.verify(stage, exchanges)),
  ]
  const outcome: Outcome = {
    name: row.name,
    requests: turn.requests,
    upstream: turn.upstreamRequests,
    answers: tally(exchanges.map(answerOf)),
    sees: [...turn.first.seen, ...late.map((text) => `(once it was gone) ${text}`)],
    after: turn.first.after,
    again: turn.again,
    next,
    problems,
  }
  return outcome
})
