/** Tries a rule and says what does not hold: nothing, if it does. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { Handle } from "../cluster/Handle.ts"
import { attempt, type Attempt, type Outcome } from "../platform/Probe.ts"
import * as Places from "./Places.ts"
import type { Rule, World } from "./Rules.ts"

const told = (one: Attempt, outcome: Outcome | undefined) =>
  `${one.kind} ${"address" in one ? one.address : one.name}: ${outcome?.how}`

const wrong = (attempts: ReadonlyArray<Attempt>, outcomes: ReadonlyArray<Outcome>, should: boolean) =>
  attempts.flatMap((one, index) => (outcomes[index]?.worked === should ? [] : [told(one, outcomes[index])]))

/** Nodes learn of a new Service and of who is behind it some moments after the API does. */
const opensWithin = { schedule: Schedule.spaced("1 second"), times: 60 }

/** Who is refused tries first, then the control, so that what the control opens can't help. */
export const judge = Effect.fn("Judge.judge")(function* (cluster: Handle<never>, world: World, rule: Rule) {
  const attempts = rule.attempts(world)
  const mine = attempt(cluster, rule.from ?? world.inside, attempts)
  if (rule.verdict === "allowed") {
    const last = yield* mine.pipe(Effect.repeat({ ...opensWithin, until: (all) => all.every(({ worked }) => worked) }))
    return wrong(attempts, last, true).map((what) => `refused though allowed: ${what}`)
  }
  const tried = yield* mine
  const theirs = yield* attempt(cluster, rule.control ?? Places.free, attempts)
  return [
    ...wrong(attempts, tried, false).map((what) => `gets through: ${what}`),
    ...wrong(attempts, theirs, true).map((what) => `nobody gets through: ${what}`),
  ]
})
