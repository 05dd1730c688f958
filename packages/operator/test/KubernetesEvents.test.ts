import { assert, describe, it } from "@effect/vitest"
import type { AgentEvent } from "@berth/domain/AgentEvents"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { agentManifest } from "../src/Agent.ts"
import { Cluster, ClusterUnavailable } from "../src/Cluster.ts"
import { layerMemory } from "../src/Cluster/Memory.ts"
import { make } from "../src/KubernetesEvents.ts"
import { at } from "../src/Manifest.ts"
import { initial } from "../src/Status.ts"
import type { InHand } from "../src/Tools.ts"
import { ada, pass, spec } from "./World.ts"

const hand = Effect.gen(function* () {
  const cluster = yield* Cluster
  const stored = yield* cluster.apply(agentManifest(ada, spec))
  return { customerId: ada, stored, place: { version: "1" }, spec, before: initial } satisfies InHand
})
const common = { customerId: ada, generation: 1, seq: 1, at: 0 }
const repaired: AgentEvent = { _tag: "driftRepaired", ...common, what: "Service customer-ada/openclaw" }

const events = Effect.gen(function* () {
  const cluster = yield* Cluster
  return (yield* cluster.list("Event")).items.map(
    (event) => `${String(at(event, "involvedObject", "kind"))} ${String(event.reason)} ${String(event.count)}`,
  )
})

const world = layerMemory({ namespaces: ["default", "customer-ada", "berth-agents"] })

describe("Kubernetes Events", () => {
  it.effect("count up what is said again, and say nothing of steps and resyncs", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const witness = yield* make(cluster)
      const agent = yield* hand
      for (const event of [
        { _tag: "step", ...common, step: "Namespace" },
        { _tag: "resync", ...common, phase: "active" },
        { _tag: "active", ...common },
        repaired,
        repaired,
      ] satisfies ReadonlyArray<AgentEvent>)
        witness(agent, event)
      yield* pass(1)
      assert.sameMembers(yield* events, ["Agent Active 1", "Agent DriftRepaired 2", "Service DriftRepaired 2"])
    }).pipe(Effect.scoped, Effect.provide(world)),
  )

  it.effect("are given up when the cluster is away, and those after it are told", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      let away = true
      const gone = new ClusterUnavailable({ operation: "test", message: "away" })
      const witness = yield* make({
        ...cluster,
        apply: (manifest, options) =>
          Effect.suspend(() => (away ? Effect.fail(gone) : cluster.apply(manifest, options))),
      })
      const agent = yield* hand
      witness(agent, repaired)
      yield* pass(1)
      away = false
      witness(agent, { _tag: "suspended", ...common })
      yield* pass(1)
      assert.deepStrictEqual(yield* events, ["Agent Suspended 1"])
      assert.isTrue(Option.isSome(yield* cluster.get({ kind: "Agent", name: ada })), "the Agent itself is left alone")
    }).pipe(Effect.scoped, Effect.provide(world)),
  )
})
