import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { AgentSpec } from "../src/Agent.ts"
import { make } from "../src/Cluster/MemoryStore.ts"
import { fieldManager } from "../src/Cluster.ts"
import { desired } from "../src/desired/Objects.ts"
import { nameOf, refOf } from "../src/Manifest.ts"
import { plan, type Standing, standingOf } from "../src/Plan.ts"
import { embedded } from "../src/Settings.ts"
import { ada, secrets, spec } from "./World.ts"

const { deletion: _, ...fields } = AgentSpec.fields
const AnySpec = Schema.Struct(fields)

/** A store in which everything planned was applied. */
const applied = (spec: AgentSpec, store = make(() => "1970-01-01T00:00:00Z")) => {
  const objects = desired({ customerId: ada, spec }, secrets, embedded)
  const current = () =>
    new Map<string, Standing>(
      objects.flatMap(({ object }) => {
        const stored = store.find(refOf(object))
        return stored === undefined ? [] : [[nameOf(refOf(object)), standingOf(object, stored)] as const]
      }),
    )
  const changes = plan(objects, current(), [])
  for (const { object } of changes)
    assert.isTrue(Result.isSuccess(store.apply(object, { manager: fieldManager, force: true })))
  return { store, objects, current, changes }
}

describe("a plan", () => {
  it.prop("of an agent that is as it should be is empty, whatever the agent", [AnySpec], ([any]) => {
    const { objects, current } = applied(any)
    assert.deepStrictEqual(plan(objects, current(), []), [])
  })

  it("creates everything for a new agent, in order", () => {
    const { changes, objects } = applied(spec)
    assert.deepStrictEqual(
      changes.map(({ object, why }) => [object.kind, why]),
      objects.map(({ object }) => [object.kind, "create"]),
    )
  })

  it("changes only what a new tier changes", () => {
    const { store } = applied({ ...spec, tier: "starter" })
    const { changes } = applied({ ...spec, tier: "pro" }, store)
    assert.deepStrictEqual(
      changes.map(({ object, why }) => [object.kind, why]),
      [
        ["ResourceQuota", "change"],
        ["LimitRange", "change"],
        ["PersistentVolumeClaim", "change"],
        ["Deployment", "change"],
      ],
    )
  })

  it("calls what someone else changed or removed drift", () => {
    const { store, objects, current } = applied(spec)
    store.update({ kind: "NetworkPolicy", namespace: "customer-ada", name: "openclaw" }, "kubectl", (object) => ({
      ...object,
      spec: { ...(object.spec as object), egress: [{}] },
    }))
    store.purge({ kind: "Service", namespace: "customer-ada", name: "openclaw" })
    assert.deepStrictEqual(
      plan(objects, current(), ["Service"]).map(({ object, why }) => [object.kind, why]),
      [
        ["NetworkPolicy", "drift"],
        ["Service", "drift"],
      ],
    )
  })

  it("leaves alone what others add beside it", () => {
    const { store, objects, current } = applied(spec)
    store.update({ kind: "Namespace", name: "customer-ada" }, "kubectl", (object) => ({
      ...object,
      metadata: { ...object.metadata, labels: { ...object.metadata.labels, team: "support" } },
    }))
    assert.deepStrictEqual(plan(objects, current(), []), [])
  })
})
