/**
 * What the operator needs goes away while it provisions: the apiserver, its etcd, its watches, Redis with all that it held,
 * and, by chance, the answer to any request. The operator is a process of its own that lives through all of it.
 */
import { CustomerId } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Components from "../cluster/Components.ts"
import { ControlPlane } from "../cluster/ControlPlane.ts"
import { faults, kindsOfFaults } from "./Chance.ts"
import { Control } from "./Control.ts"
import { isWork, pass } from "./FaultyApi.ts"
import { onlyOperator } from "./OperatorProcess.ts"
import { comesUp, provisioned, standsAsMeant, told } from "./SameEnd.ts"
import { Redis, stage } from "./Stage.ts"

/** Ten seconds of silence or two are among it, and tries that wait for longer and longer. */
const patient = { seconds: 100 }

const customersOf = (name: string, count = 4): ReadonlyArray<CustomerId> =>
  Array.from({ length: count }, (_, index) => CustomerId.make(`${name}-${index}`))

const orderAll = Effect.fn(function* (customers: ReadonlyArray<CustomerId>, options: object = {}) {
  const control = yield* Control
  yield* Effect.forEach(customers, (customerId) => control.order({ customerId, ...options }))
})

const until = Effect.fn(function* (what: string, check: () => boolean) {
  for (const end = performance.now() + 60_000; !check();) {
    if (performance.now() > end) return assert.fail(`never: ${what}`)
    yield* Effect.sleep("10 millis")
  }
})

const emptyQueue = Effect.gen(function* () {
  const queue = yield* JobQueue
  assert.deepStrictEqual(yield* queue.depth, { waiting: 0, taken: 0, dead: 0 })
})

/** All of them end as they must, and each thing was told once. */
const allEnd = Effect.fn(function* (
  customers: ReadonlyArray<CustomerId>,
  where: string,
  more: ReadonlyArray<string> = [],
) {
  const plane = yield* ControlPlane
  for (const customerId of customers) yield* standsAsMeant(plane, customerId, {}, `${where}, ${customerId}`)
  for (const customerId of customers)
    assert.deepStrictEqual(yield* told(customerId), [...provisioned, ...more], `${where}, ${customerId}`)
  yield* emptyQueue
})

layer(stage(), { excludeTestServices: true, timeout: 180_000 })(
  "an operator in the middle of four provisionings",
  (it) => {
    for (const component of ["kube-apiserver", "etcd"] as const)
      for (const [nth, server] of [
        [7, "never"],
        [31, "done"],
      ] as const)
        it.effect(
          `goes on after ${component} was killed at write ${nth}, ${server === "done" ? "which was carried out" : "which it never had"}`,
          () =>
            Effect.gen(function* () {
              const plane = yield* ControlPlane
              const { api } = yield* onlyOperator(plane, (yield* Redis).url)
              let writes = 0
              yield* api.decide((asked) =>
                isWork(asked) && ++writes === nth
                  ? { _tag: "Cut", server, also: () => Components.kill(plane.folder, component) }
                  : pass,
              )
              const customers = customersOf(`${component.slice(-4)}-${nth}`)
              yield* orderAll(customers)
              yield* until(
                `${component} dies`,
                () => writes >= nth && Components.pidOf(plane.folder, component) === undefined,
              )
              yield* Effect.sleep("1 second")
              yield* plane.start(component)
              yield* allEnd(customers, `${component} at ${nth}`)
            }).pipe(Effect.scoped),
        )

    it.effect("goes on when every watch is cut again and again, told to list anew, or refused", () =>
      Effect.gen(function* () {
        const plane = yield* ControlPlane
        const { api } = yield* onlyOperator(plane, (yield* Redis).url)
        const answers = [pass, { _tag: "Answer", status: 410 }, pass, { _tag: "Answer", status: 500 }] as const
        let watches = 0
        let cut = 0
        yield* api.decide(({ watch }) => (watch ? (answers[watches++ % answers.length] ?? pass) : pass))
        const customers = customersOf("watch")
        yield* orderAll(customers)
        const cutting = Effect.map(api.cutWatches, (some) => void (cut += some)).pipe(
          Effect.andThen(Effect.sleep("300 millis")),
          Effect.forever,
        )
        yield* Effect.raceFirst(
          Effect.forEach(customers, (customerId) => comesUp(plane, customerId), { concurrency: "unbounded" }),
          cutting,
        )
        assert.isAbove(cut, 20)

        // What is changed while nothing can be watched is seen when it can.
        yield* api.decide(({ watch }) => (watch ? { _tag: "Answer", status: 503 } : pass))
        yield* api.cutWatches
        const policy = "/apis/networking.k8s.io/v1/namespaces/customer-watch-0/networkpolicies/openclaw"
        const meant = (yield* plane.api.get(policy)).spec
        yield* plane.api.merge(policy, { spec: { egress: [{}] } })
        yield* api.decide(undefined)
        yield* plane.api.until(policy, (one) => JSON.stringify(one?.spec) === JSON.stringify(meant), 30)
        yield* allEnd(customers.slice(1), "watches cut")
        yield* allEnd(customers.slice(0, 1), "watches cut", ["driftRepaired"])
      }).pipe(Effect.scoped),
    )

    it.effect(
      "goes on after Redis was lost with all jobs and reports, once control pushes again what nothing has answered",
      () =>
        Effect.gen(function* () {
          const plane = yield* ControlPlane
          const redis = yield* Redis
          const control = yield* Control
          const queue = yield* JobQueue
          const { api } = yield* onlyOperator(plane, redis.url)
          let writes = 0
          yield* api.decide((asked) => {
            if (isWork(asked)) writes++
            return pass
          })
          const [before, waiting, during] = [customersOf("begun"), customersOf("waiting"), customersOf("during")]
          yield* orderAll(before)
          yield* until("provisioning has begun", () => writes >= 10)
          yield* orderAll(waiting)
          yield* redis.kill
          // Nothing of it comes back: it writes no file.
          yield* Effect.sleep("2 seconds")
          yield* redis.start
          yield* control.relays(true)
          yield* orderAll(during)
          for (const customerId of [...before, ...waiting, ...during]) {
            yield* standsAsMeant(plane, customerId, {}, `Redis lost, ${customerId}`)
            const tags = yield* told(customerId)
            // What Redis had was lost with it; of what is told nothing is told twice, in the order in which it came to be.
            assert.deepStrictEqual(
              tags,
              provisioned.filter((tag) => tags.includes(tag)),
              customerId,
            )
          }
          for (const customerId of during) assert.deepStrictEqual(yield* told(customerId), provisioned, customerId)
          yield* control.relays(false)
          while ((yield* queue.depth).waiting + (yield* queue.depth).taken > 0) yield* Effect.sleep("50 millis")
          yield* emptyQueue
        }).pipe(Effect.scoped),
    )

    for (const seed of [1, 2])
      it.effect(`goes on although every twelfth request comes to grief (seed ${seed})`, () =>
        Effect.gen(function* () {
          const plane = yield* ControlPlane
          const { api } = yield* onlyOperator(plane, (yield* Redis).url)
          const { count, rule } = faults(seed)
          yield* api.decide(rule)
          const customers = customersOf(`seed-${seed}`)
          yield* orderAll(customers)
          for (const customerId of customers) yield* comesUp(plane, customerId, patient)
          yield* allEnd(customers, `seed ${seed}`)
          const team = { generation: 2, reason: "update", desired: { tier: "team" }, ...patient } as const
          yield* orderAll(customers, team)
          for (const customerId of customers) {
            yield* standsAsMeant(plane, customerId, team, `seed ${seed}, ${customerId} at 2`)
            assert.deepStrictEqual(yield* told(customerId, 2), [...provisioned, "active 2"], `seed ${seed}`)
          }
          assert.sameMembers(Object.keys(count()), [...kindsOfFaults], "kinds of faults that were made")
        }).pipe(Effect.scoped),
      )
  },
)
