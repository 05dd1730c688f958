/** Troubles by what a real apiserver, its controllers and its scheduler say: they come in the customer's words, and go. */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AgentStatus } from "../src/Agent.ts"
import * as Operator from "../src/Operator.ts"
import { type Reason, troubles } from "../src/Troubles.ts"
import { ControlPlane } from "./cluster/ControlPlane.ts"
import { agentPath, realWorld, settles, told } from "./RealCluster.ts"
import { pushJob } from "./World.ts"

const id = (name: string) => CustomerId.make(name)

const conditionOf = (agent: { readonly status?: AgentStatus } | undefined, type: string) =>
  agent?.status?.conditions.find((one) => one.type === type)

/** Waits until the agent is failed for this reason; what is said of it, in full. */
const fails = Effect.fn(function* (customerId: CustomerId, reason: Reason) {
  const { api } = yield* ControlPlane
  const { condition, message } = troubles[reason]
  const agent = yield* api.until(agentPath(customerId), (one) => conditionOf(one, "Ready")?.reason === reason, 90)
  assert.strictEqual(agent.status.phase, "failed")
  assert.deepInclude(conditionOf(agent, condition), { status: "False", reason, message })
  const last = (yield* told(customerId, new Map())).at(-1)
  assert.deepInclude(last, { _tag: "failed", reason, message })
  return JSON.stringify([agent.status, last])
})

/** Waits until it runs, and nothing is said to be wrong on that side any more. */
const isWell = Effect.fn(function* (customerId: CustomerId, side: string, generation: number, seconds?: number) {
  const agent = yield* settles(customerId, "active", generation, seconds)
  assert.deepInclude(conditionOf(agent, side), { status: "True", reason: "Well" })
  assert.strictEqual((yield* told(customerId, new Map<number, AgentEvent>())).at(-1)?._tag, "active")
})

layer(Operator.layer.pipe(Layer.provideMerge(realWorld())), { excludeTestServices: true, timeout: 120_000 })(
  "an agent on a real apiserver",
  (it) => {
    it.effect("that no node has the memory for says that there is no room, and starts once there is", () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        const node = "/api/v1/nodes/fake-0/status"
        const { memory } = (yield* api.get(node)).status.allocatable
        const give = (amount: string) => api.merge(node, { status: { allocatable: { memory: amount } } })
        const ada = id("ada")
        yield* give("1Gi")
        yield* pushJob({ customerId: ada })
        assert.notMatch(yield* fails(ada, "NoRoom"), /insufficient|nodes are available|fake-0/i)
        yield* give(memory)
        yield* isWell(ada, "Scheduled", 1)
      }),
    )

    it.effect("that a quota has no room for says that it does not fit, and starts once it does", () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        const bob = id("bob")
        yield* pushJob({ customerId: bob })
        yield* settles(bob, "active")
        // The operator would put its own quota back: this one is an administrator's.
        const quota = "/api/v1/namespaces/customer-bob/resourcequotas/administrator"
        yield* api.apply(quota, {
          apiVersion: "v1",
          kind: "ResourceQuota",
          metadata: { name: "administrator", namespace: "customer-bob" },
          spec: { hard: { "limits.memory": "1Gi" } },
        })
        yield* api.until(quota, (one) => one?.status?.hard !== undefined)
        yield* pushJob({ customerId: bob, generation: 2, reason: "restart", desired: { restartedAt: 1 } })
        assert.notMatch(yield* fails(bob, "QuotaTooSmall"), /exceeded|administrator|limits\.memory/i)
        yield* api.remove(quota)
        // The ReplicaSet's controller tries again by itself, ever later.
        yield* isWell(bob, "Quota", 2, 120)
      }),
    )
  },
)
