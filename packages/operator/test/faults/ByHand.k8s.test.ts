/**
 * Somebody deletes by hand, in the middle of provisioning and afterwards: an Agent, an Agent in the foreground, a namespace,
 * the kind itself. And the whole cluster is lost: another, empty one gets all of it from what control knows.
 */
import { CustomerId, namespaceOf } from "@berth/domain/Ids"
import { JobQueue } from "@berth/domain/JobQueue"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Components from "../cluster/Components.ts"
import { ControlPlane } from "../cluster/ControlPlane.ts"
import { agentPath } from "../RealCluster.ts"
import { Control } from "./Control.ts"
import { isWork, pass } from "./FaultyApi.ts"
import { onlyOperator, type OperatorProcess } from "./OperatorProcess.ts"
import { provisioned, standsAsMeant, told } from "./SameEnd.ts"
import { emptyCluster, Redis, stage } from "./Stage.ts"

const kind = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/agents.berth.dev"

interface Deed {
  readonly path: (customerId: CustomerId) => string
  readonly propagation: "Background" | "Foreground"
}

const deeds = {
  agent: { path: agentPath, propagation: "Background" },
  "agent-foreground": { path: agentPath, propagation: "Foreground" },
  namespace: { path: (id) => `/api/v1/namespaces/${namespaceOf(id)}`, propagation: "Background" },
  kind: { path: () => kind, propagation: "Background" },
} satisfies Record<string, Deed>

/** Deletes, and waits until what was deleted stands anew. */
const does = Effect.fn(function* ({ path, propagation }: Deed, customerId: CustomerId) {
  const plane = yield* ControlPlane
  const before = yield* plane.api.get(path(customerId))
  yield* plane.api.request("DELETE", `${path(customerId)}?propagationPolicy=${propagation}`)
  yield* plane.api.until(
    path(customerId),
    (one) =>
      one !== undefined && one.metadata.uid !== before.metadata.uid && one.metadata.deletionTimestamp === undefined,
    60,
  )
})

/** Waits until the operator is about to make its nth write for what is ordered then. */
const orderUpTo = Effect.fn(function* ({ api }: OperatorProcess, customerId: CustomerId, nth: number) {
  const control = yield* Control
  let writes = 0
  yield* api.decide((asked) => {
    if (isWork(asked) && asked.path.includes(customerId)) writes++
    return pass
  })
  yield* control.order({ customerId })
  while (writes < nth) yield* Effect.sleep("2 millis")
})

/** What was told of how the agent was made; that something was deleted is told besides. */
const toldOfMaking = Effect.fn(function* (customerId: CustomerId, times = 1) {
  return (yield* told(customerId, 1, times)).filter((tag) => provisioned.includes(tag))
})

const deleted = ["agent-foreground", "agent", "namespace"] as const
const early = (what: string) => CustomerId.make(`early-${what}`)
const late = (what: string) => CustomerId.make(`late-${what}`)

layer(stage(), { excludeTestServices: true, timeout: 180_000 })("what is deleted by hand", (it) => {
  it.effect("stands again with the same volume, be the agent finished or not, and is told of once", () =>
    Effect.gen(function* () {
      const plane = yield* ControlPlane
      const operator = yield* onlyOperator(plane, (yield* Redis).url)
      const control = yield* Control
      const volumes = new Map<CustomerId, string>()
      const soFar = new Map<CustomerId, ReadonlyArray<string>>()
      const all = [...deleted.flatMap((what) => [early(what), late(what)]), late("kind")]
      for (const what of [...deleted, "kind"]) yield* control.order({ customerId: late(what) })
      for (const what of [...deleted, "kind"])
        volumes.set(late(what), yield* standsAsMeant(plane, late(what), {}, `before ${what} is deleted`))

      for (const [index, what] of deleted.entries()) {
        yield* orderUpTo(operator, early(what), 4 + 3 * index)
        yield* Effect.all([does(deeds[what], early(what)), does(deeds[what], late(what))], { concurrency: 2 })
      }
      for (const customerId of all) {
        const volume = yield* standsAsMeant(plane, customerId, {}, customerId)
        assert.strictEqual(volume, volumes.get(customerId) ?? volume, `${customerId}: the volume is the same`)
        volumes.set(customerId, volume)
        const made = yield* toldOfMaking(customerId, customerId === late("namespace") ? 2 : 1)
        assert.deepStrictEqual(made.slice(0, provisioned.length), provisioned, customerId)
        // Without its namespace an agent does not run; that it runs again is told again.
        assert.deepStrictEqual(made.slice(provisioned.length), customerId === late("namespace") ? ["active 1"] : [])
        soFar.set(customerId, made)
      }

      // With the kind every Agent goes, and what was told of it: all of it is told anew, which control tells nobody again.
      yield* orderUpTo(operator, early("kind"), 9)
      yield* does(deeds.kind, early("kind"))
      for (const customerId of all) {
        const volume = yield* standsAsMeant(plane, customerId, {}, `the kind deleted, ${customerId}`)
        assert.strictEqual(volume, volumes.get(customerId), `${customerId}: the volume is the same`)
        const made = yield* toldOfMaking(customerId, customerId === late("namespace") ? 3 : 2)
        assert.deepStrictEqual(made, [...(soFar.get(customerId) ?? []), ...provisioned], customerId)
      }
      yield* standsAsMeant(plane, early("kind"), {}, "the kind deleted in the middle")
      const made = yield* toldOfMaking(early("kind"))
      assert.deepStrictEqual(made.slice(-provisioned.length), provisioned)
      const partly = made.slice(0, -provisioned.length)
      assert.deepStrictEqual(partly, provisioned.slice(0, partly.length))
      assert.deepStrictEqual(yield* JobQueue.use(({ depth }) => depth), { waiting: 0, taken: 0, dead: 0 })
    }).pipe(Effect.scoped),
  )

  it.effect("and a cluster that is lost whole is built again in another from what control knows", () =>
    Effect.gen(function* () {
      const lost = yield* ControlPlane
      const control = yield* Control
      const { url } = yield* Redis
      const customers = ["first", "second", "third"].map((name) => CustomerId.make(`lost-${name}`))
      const team = { generation: 2, reason: "update", desired: { tier: "team" } } as const
      yield* Effect.gen(function* () {
        yield* onlyOperator(lost, url)
        for (const customerId of customers) yield* control.order({ customerId })
        for (const customerId of customers) yield* standsAsMeant(lost, customerId, {}, "before the loss")
        for (const customerId of customers) yield* control.order({ customerId, ...team })
        for (const customerId of customers) yield* standsAsMeant(lost, customerId, team, "before the loss")
        for (const customerId of customers)
          assert.deepStrictEqual(yield* told(customerId, 2), [...provisioned, "active 2"])
      }).pipe(Effect.scoped)
      Components.killAll(lost.folder)

      const plane = yield* emptyCluster()
      yield* onlyOperator(plane, url)
      for (const customerId of customers) yield* control.orderAgain(customerId)
      for (const customerId of customers) {
        yield* standsAsMeant(plane, customerId, team, "after the loss")
        const again = [...provisioned, "active 2", ...provisioned.slice(0, -1), "active 2"]
        assert.deepStrictEqual(yield* told(customerId, 2, 2), again)
      }
      assert.deepStrictEqual(yield* JobQueue.use(({ depth }) => depth), { waiting: 0, taken: 0, dead: 0 })
    }).pipe(Effect.scoped),
  )
})
