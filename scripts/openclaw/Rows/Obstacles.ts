/** The obstacles that rows are made of; each is gone when its scope ends. */
import type { AllowanceTerms } from "@berth/domain/Allowance"
import { RequestId } from "@berth/domain/Ids"
import type { SwitchName } from "@berth/domain/Switches"
import { answerOf, bodyOf, type Refusal } from "@berth/proxy/Errors"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Behaviour } from "../../../packages/proxy/test/StubUpstream.ts"
import type { Asked, Instead } from "../Relay.ts"
import { ordinary, type Stage } from "../Stage.ts"

const between = (up: Effect.Effect<unknown, unknown>, down: Effect.Effect<unknown, unknown>) =>
  Effect.asVoid(Effect.acquireRelease(up, () => Effect.orDie(down)))

export const none = () => Effect.void

/** The customer's terms, as billing sets them. */
export const terms = (changed: Partial<AllowanceTerms>) => (stage: Stage) =>
  between(stage.become(changed), stage.become({}))

export const upstream = (behaviour: Behaviour) => (stage: Stage) =>
  between(
    Effect.sync(() => (stage.script.behaviour = behaviour)),
    Effect.sync(() => (stage.script.behaviour = ordinary)),
  )

/** So many calls are answered like this, those that follow as ever. */
export const upstreamFirst =
  (...behaviours: ReadonlyArray<Behaviour>) =>
  (stage: Stage) =>
    Effect.suspend(() => {
      let played = 0
      return upstream((received, response) => (behaviours[played++] ?? ordinary)(received, response))(stage)
    })

/** Requests are changed on their way, as a client that misbehaves would send them. */
export const request = (change: (asked: Asked) => Asked) => (stage: Stage) =>
  between(
    Effect.sync(() => (stage.relay.change = change)),
    Effect.sync(() => (stage.relay.change = undefined)),
  )

export const requestBody = (change: (body: Record<string, unknown>) => object) =>
  request((asked) => ({ ...asked, body: Buffer.from(JSON.stringify(change(JSON.parse(asked.body.toString())))) }))

/** An answer in the proxy's place. */
export const instead = (answer: Instead) => (stage: Stage) =>
  between(
    Effect.sync(() => (stage.relay.instead = answer)),
    Effect.sync(() => (stage.relay.instead = undefined)),
  )

/** A refusal that is hard to bring about here, answered word for word as the proxy would. */
export const refusal = (one: Refusal) => {
  const answer = answerOf(one)
  const headers: Record<string, string> =
    answer.retryAfter === undefined ? {} : { "retry-after": String(answer.retryAfter) }
  return instead({ status: answer.status, headers, body: bodyOf(answer) })
}

/** Operators throw a switch. */
export const stopped = (name: SwitchName) => (stage: Stage) =>
  between(stage.switches.stop(name, "an end-to-end test"), stage.switches.resume(name))

/** The obstacle goes away by itself after so many seconds, while the turn may still be trying. */
export const passing =
  (seconds: number, obstacle: (stage: Stage) => Effect.Effect<void, unknown, Scope.Scope>) => (stage: Stage) =>
    Effect.gen(function* () {
      const own = yield* Scope.make()
      const gone = Scope.close(own, Exit.void)
      yield* Effect.addFinalizer(() => gone)
      yield* obstacle(stage).pipe(Scope.provide(own))
      yield* Effect.forkScoped(Effect.andThen(Effect.sleep(seconds * 1_000), gone))
    })

let others = 0

/** Someone else's request of the same customer holds nearly all of the allowance. */
export const heldByAnother = (stage: Stage) => {
  const call = {
    customerId: stage.who.customerId,
    requestId: RequestId.make(`req_other_${++others}`),
    attempt: 1,
    background: false,
  }
  const asking = { ...call, tokenHash: stage.standing.tokens[0] ?? "", model: "kimi-k2.6", floor: 1_000 }
  return between(
    Effect.gen(function* () {
      const { limit, used } = yield* stage.view
      const decision = yield* stage.allowance.admit({ ...asking, prompt: limit - used - 2_000, completion: 1_000 })
      if (decision._tag !== "Admitted") yield* Effect.die(`nothing could be held: ${decision._tag}`)
    }),
    stage.allowance.release({ ...call, period: 0, ask: 0 }),
  )
}

/** Redis is away. */
export const redisAway = (stage: Stage) => between(stage.redis.stop, stage.redis.start)
