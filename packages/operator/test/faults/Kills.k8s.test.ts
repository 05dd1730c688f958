/**
 * kill -9 of the operator, as a process, at each of its writes while it provisions an agent: once before the server has the
 * write, once after the server has carried it out and before the operator hears of it. Another one that stands by goes on.
 */
import { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { desired } from "../../src/desired/Objects.ts"
import { objectPath } from "../../src/Kinds.ts"
import { refOf } from "../../src/Manifest.ts"
import { ControlPlane } from "../cluster/ControlPlane.ts"
import { ada, secrets, spec } from "../World.ts"
import { Control } from "./Control.ts"
import { isWork, pass } from "./FaultyApi.ts"
import { freeLease, leader, type OperatorProcess, operatorProcess, settings } from "./OperatorProcess.ts"
import { comesUp, provisioned, standsAsMeant, told } from "./SameEnd.ts"
import { Redis, stage } from "./Stage.ts"

/** The how-manieth write to a place, whoever the customer is. */
interface Point {
  readonly place: string
  readonly time: number
}

/** Every write of an operator as it comes. */
const watched = () => {
  const times = new Map<string, number>()
  return (path: string, customerId: CustomerId): Point => {
    const place = path.replaceAll(customerId, "<id>")
    const time = (times.get(place) ?? 0) + 1
    times.set(place, time)
    return { place, time }
  }
}

/** Whoever is active and has told so writes nothing more. */
const isDone = Effect.fn(function* (customerId: CustomerId) {
  yield* comesUp(yield* ControlPlane, customerId)
  yield* told(customerId)
  yield* Effect.sleep("1 second")
})

/** The writes of one provisioning, in their order. Those that go out together come in any. */
const writesOf = Effect.fn(function* (operator: OperatorProcess, customerId: CustomerId) {
  const points: Array<Point> = []
  const see = watched()
  yield* operator.api.decide((asked) => {
    if (isWork(asked)) points.push(see(asked.path, customerId))
    return pass
  })
  yield* Control.use(({ order }) => order({ customerId }))
  yield* isDone(customerId)
  yield* operator.api.decide(undefined)
  return points
})

/** Whether it got as far as the point, which is its death. */
const diesAt = Effect.fn(function* (
  operator: OperatorProcess,
  customerId: CustomerId,
  point: Point,
  server: "never" | "done",
) {
  let dead = false
  const see = watched()
  const die = () => {
    operator.killNow()
    dead = true
  }
  yield* operator.api.decide((asked) => {
    if (!isWork(asked)) return pass
    const { place, time } = see(asked.path, customerId)
    return place === point.place && time === point.time ? { _tag: "Cut", server, also: die } : pass
  })
  yield* Control.use(({ order }) => order({ customerId }))
  const death = Effect.gen(function* () {
    while (!dead) yield* Effect.sleep("5 millis")
  })
  yield* Effect.raceFirst(death, isDone(customerId))
  yield* operator.api.decide(undefined)
  return dead
})

/** What provisioning writes at the least. */
const mustWrite = [
  "/api/v1/namespaces/berth-agents/secrets/agent-<id>",
  "/apis/berth.dev/v1alpha1/agents/<id>",
  "/apis/berth.dev/v1alpha1/agents/<id>/status",
  ...desired({ customerId: ada, spec }, secrets, settings).map(({ object }) =>
    objectPath(refOf(object)).replaceAll(ada, "<id>"),
  ),
]

layer(stage(), { excludeTestServices: true, timeout: 180_000 })("an operator that is killed", (it) => {
  for (const server of ["never", "done"] as const)
    it.effect(
      `${server === "never" ? "before" : "after"} any of its writes is followed by one that ends with the one agent, and tells each thing once`,
      () =>
        Effect.gen(function* () {
          const plane = yield* ControlPlane
          const { url } = yield* Redis
          yield* Effect.addFinalizer(() => Effect.orDie(freeLease(plane)))
          const start = operatorProcess(plane, url)
          let leads = yield* start
          let holder = yield* leader(plane)
          let standby = yield* start
          const whole = CustomerId.make(`${server}-whole`)
          const points = yield* writesOf(leads, whole)
          const deaths: Array<string> = []
          for (const [index, point] of points.entries()) {
            const customerId = CustomerId.make(`${server}-${index}`)
            const where = `killed at write ${point.time} to ${point.place}`
            // A status may be written once less than the time before.
            if (!(yield* diesAt(leads, customerId, point, server))) continue
            // The first death is followed when the lease is void; that takes 10 s, which the others need not wait.
            const began = performance.now()
            if (deaths.length > 0) yield* freeLease(plane)
            holder = yield* leader(plane, holder)
            leads = standby
            standby = yield* start
            yield* standsAsMeant(plane, customerId, {}, where)
            if (deaths.length === 0)
              assert.isBelow(performance.now() - began, 30_000, "from one's death to Ready by another")
            assert.deepStrictEqual(yield* told(customerId), provisioned, where)
            deaths.push(point.place)
          }
          assert.includeMembers(deaths, mustWrite)
          // Whatever was said later is heard by now.
          for (const customerId of [whole, ...points.map((_, index) => CustomerId.make(`${server}-${index}`))])
            assert.deepStrictEqual(yield* told(customerId), provisioned, customerId)
          assert.deepStrictEqual(yield* JobQueue.use(({ depth }) => depth), { waiting: 0, taken: 0, dead: 0 })
        }).pipe(Effect.scoped),
      600_000,
    )
})
