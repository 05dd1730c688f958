/**
 * Asks every running agent how it does. Invariants: an agent that is well is asked without any secret; what can't be asked
 * changes nothing; an agent that does not answer keeps no other waiting. Only another answer leads to a look at the agent.
 * Lost with the process: the next leader asks again, and the conditions stay as they are meanwhile.
 */
import { CustomerId } from "@berth/domain/Ids"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import { BotTokens, type Verdict } from "./BotTokens.ts"
import { type Findings, fullness } from "./Checks.ts"
import { Cluster } from "./Cluster.ts"
import { port } from "./desired/Names.ts"
import { podsOf } from "./Gather.ts"
import { canonical } from "./Manifest.ts"
import { Observing } from "./Observing.ts"
import { type PodAnswer, PodHttp } from "./PodHttp.ts"
import { findingsOf, isTelegramDown, readiness, type Readiness } from "./Readiness.ts"
import { readRecord } from "./Records.ts"
import { currentPod, podBrief } from "./Sight.ts"
import { healthInterval, Volumes } from "./Volumes.ts"

/** A pod that runs, as it is asked. */
interface Subject {
  readonly customerId: CustomerId
  readonly uid: string
  readonly ip: string
  readonly hostIp: string | undefined
}

interface State extends Subject {
  /** Since when it is known, epoch ms. */
  readonly since: number
  /** When to ask next, epoch ms. */
  due: number
  downSince: number | undefined
  findings: Findings
}

/** A pod that just came up is asked so often for so long: a wrong token is told while its owner still looks. */
const freshMillis = 60_000
const oftenMillis = 5_000
/** An agent in trouble, so that it is told soon that it is well again. */
const ailingMillis = 15_000
/** Agents asked at once. */
const concurrency = 32

const decodeId = Schema.decodeUnknownOption(CustomerId)

/** What a look would see differently. Bytes alone make no difference; which mark they are past does. */
const essence = ({ disk, ...rest }: Findings): string =>
  canonical({ ...rest, disk: disk === undefined ? undefined : fullness(disk) })

export type Changed = (customerId: CustomerId) => Effect.Effect<void>

export class Health extends Context.Service<
  Health,
  {
    /** What is known of an agent's pod, whichever that is. */
    findings(customerId: CustomerId): Findings | undefined
    /** Asks by and by until interrupted. Only while leading. `changed` is called for agents with other findings than before. */
    run(changed: Changed): Effect.Effect<never>
  }
>()("@berth/operator/Health") {
  static readonly layer = Layer.effect(
    Health,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const http = yield* PodHttp
      const tokens = yield* BotTokens
      const volumes = yield* Volumes
      const { observed } = yield* Observing
      const interval = Duration.toMillis(yield* healthInterval)
      const states = new Map<CustomerId, State>()

      const subjectOf = (customer: string): Subject | undefined => {
        const customerId = Option.getOrUndefined(decodeId(customer))
        if (customerId === undefined) return undefined
        const pod = currentPod(podsOf(observed, customerId).map(podBrief))
        return pod?.ready === true && pod.ip !== undefined
          ? { customerId, uid: pod.uid, ip: pod.ip, hostIp: pod.hostIp }
          : undefined
      }

      /** Who runs now: new ones are asked at once, those that an earlier leader knew by and by. */
      const census = Effect.fnUntraced(function* (now: number, isFirst: boolean) {
        const running = new Set<CustomerId>()
        for (const customer of observed.customers("Pod")) {
          const subject = subjectOf(customer)
          if (subject === undefined) continue
          running.add(subject.customerId)
          if (states.get(subject.customerId)?.uid === subject.uid) continue
          const due = isFirst ? now + interval * (yield* Random.next) : now
          const findings = { podUid: subject.uid }
          states.set(subject.customerId, { ...subject, since: now, due, downSince: undefined, findings })
        }
        for (const customerId of states.keys()) if (!running.has(customerId)) states.delete(customerId)
      })

      const ask = ({ ip }: Subject, bearer?: Redacted.Redacted<string>) =>
        http.get({ ip, port, path: "/readyz", ...(bearer === undefined ? {} : { bearer }) })

      /** Of one that is not ready: what fails, and what Telegram says of the token. */
      const examine = Effect.fnUntraced(function* (state: State, first: PodAnswer, now: number) {
        const plain = { said: readiness(first), token: "unknown" satisfies Verdict as Verdict }
        if (plain.said._tag === "Ready") return plain
        const record = Option.getOrUndefined(yield* readRecord(cluster, state.customerId))
        if (record === undefined) return plain
        const said: Readiness = readiness(yield* ask(state, record.secrets.gatewayToken))
        if (said._tag !== "Failing" || !isTelegramDown(said)) return { ...plain, said }
        state.downSince ??= now
        return { said, token: yield* tokens.check(record.secrets.botToken) }
      })

      const pauseOf = (state: State, now: number): number => {
        if (now - state.since < freshMillis) return Math.min(oftenMillis, interval)
        const isAiling = state.downSince !== undefined || state.findings.data !== "open"
        return isAiling ? Math.min(ailingMillis, interval) : interval
      }

      const visit = Effect.fn("Health.visit")(function* (state: State, changed: Changed) {
        const now = yield* Clock.currentTimeMillis
        const { said, token } = yield* examine(state, yield* ask(state), now)
        if (said._tag !== "Failing" || !isTelegramDown(said)) state.downSince = undefined
        const disk = state.hostIp === undefined ? undefined : yield* volumes.fill(state.customerId, state.hostIp)
        const before = state.findings
        state.findings = {
          podUid: state.uid,
          ...findingsOf(said, token, now - (state.downSince ?? now)),
          ...(disk === undefined ? {} : { disk }),
        }
        const isStill = states.get(state.customerId) === state
        if (isStill && essence(before) !== essence(state.findings)) yield* changed(state.customerId)
      })

      const askForever = Effect.fnUntraced(function* (changed: Changed) {
        const visits = yield* FiberMap.make<CustomerId>()
        const room = yield* Semaphore.make(concurrency)
        for (let isFirst = true; ; isFirst = false) {
          const now = yield* Clock.currentTimeMillis
          yield* census(now, isFirst)
          for (const state of states.values()) {
            if (state.due > now) continue
            state.due = now + pauseOf(state, now) * (0.9 + 0.2 * (yield* Random.next))
            const visited = room
              .withPermit(visit(state, changed))
              .pipe(Effect.catch(({ _tag }) => Effect.logDebug(`agent ${state.customerId} could not be asked`, _tag)))
            yield* FiberMap.run(visits, state.customerId, visited, { onlyIfMissing: true })
          }
          yield* Effect.sleep("1 second")
        }
      })

      return Health.of({
        findings: (customerId) => states.get(customerId)?.findings,
        run: (changed) =>
          Effect.suspend(() => {
            states.clear()
            return Effect.scoped(askForever(changed))
          }).pipe(Effect.andThen(Effect.never)),
      })
    }),
  )
}
