import { assert, describe, it } from "@effect/vitest"
import type { Stored } from "../src/Manifest.ts"
import { decide, initial, type Sight } from "../src/Status.ts"
import { ada, spec } from "./World.ts"

const stored = (kind: string, status: object, generation = 1): Stored => ({
  apiVersion: "v1",
  kind,
  metadata: {
    name: "openclaw",
    namespace: "customer-ada",
    uid: kind,
    resourceVersion: "1",
    generation,
    creationTimestamp: "",
  },
  status,
})
const readyPod = stored("Pod", { conditions: [{ type: "Ready", status: "True" }] })
const startingPod = (waiting: string) =>
  stored("Pod", {
    containerStatuses: [{ state: { waiting: { reason: waiting, message: "registry.internal says no" } } }],
  })
const upToDate = stored("Deployment", { observedGeneration: 1, updatedReplicas: 1, readyReplicas: 1 })

const sight = (change: Partial<Sight> = {}): Sight => ({
  customerId: ada,
  spec,
  before: initial,
  placed: ["Namespace", "Deployment"],
  repaired: [],
  waiting: false,
  queued: false,
  findings: undefined,
  trouble: undefined,
  deployment: undefined,
  pods: [],
  deletedByHand: false,
  deprovision: "no",
  delivered: true,
  usedSeq: 0,
  ...change,
})
const now = 1_000
const judge = (change: Partial<Sight> = {}) => decide(sight(change), now, "1970-01-01T00:00:01.000Z")
const tags = (verdict: ReturnType<typeof judge>) => verdict.events.map(({ _tag }) => _tag)

describe("the status of an agent", () => {
  it("says nothing new about the same sight", () => {
    const first = judge({ deployment: upToDate, pods: [readyPod] })
    const second = judge({ deployment: upToDate, pods: [readyPod], before: first.status })
    assert.deepStrictEqual(tags(first), ["step", "step", "step", "active"])
    assert.deepStrictEqual(second, { status: first.status, events: [] })
  })

  it("counts events up, above every earlier one and above the clock", () => {
    assert.deepStrictEqual(
      judge().events.map(({ seq }) => seq),
      [now, now + 1],
    )
    assert.deepStrictEqual(
      judge({ before: { ...initial, seq: 5_000 } }).events.map(({ seq }) => seq),
      [5_001, 5_002],
    )
    assert.deepStrictEqual(
      judge({ usedSeq: 7_000 }).events.map(({ seq }) => seq),
      [7_001, 7_002],
    )
  })

  it("is not active while the Deployment has yet to see its newest spec", () => {
    const verdict = judge({
      deployment: { ...upToDate, metadata: { ...upToDate.metadata, generation: 2 } },
      pods: [readyPod],
    })
    assert.strictEqual(verdict.status.phase, "provisioning")
  })

  it("does not confirm a generation while its namespace is on its way out", () => {
    const before = judge({ deployment: upToDate, pods: [readyPod] }).status
    const next = { ...spec, generation: 2 }
    const verdict = judge({ before, spec: next, placed: [], waiting: true, deployment: upToDate, pods: [readyPod] })
    assert.deepStrictEqual(
      [verdict.status.phase, verdict.status.observedGeneration, tags(verdict)],
      ["updating", 1, []],
    )
  })

  it("tells the customer what is wrong without the cluster's own words", () => {
    const verdict = judge({ deployment: upToDate, pods: [startingPod("ImagePullBackOff")] })
    assert.strictEqual(verdict.status.phase, "failed")
    const failed = verdict.events.find(({ _tag }) => _tag === "failed")
    assert.strictEqual(failed?._tag === "failed" ? failed.reason : undefined, "ImagePullFailed")
    assert.notInclude(JSON.stringify(verdict), "registry.internal")
  })

  it("reports a failure once, and again only when its reason changes", () => {
    const first = judge({ deployment: upToDate, pods: [startingPod("CrashLoopBackOff")] })
    assert.include(tags(first), "failed")
    const before = first.status
    assert.deepStrictEqual(tags(judge({ before, deployment: upToDate, pods: [startingPod("CrashLoopBackOff")] })), [])
    assert.deepStrictEqual(tags(judge({ before, deployment: upToDate, pods: [startingPod("ErrImagePull")] })), [
      "failed",
    ])
  })

  it("is suspended only when the last pod is gone, and is never called active on the way", () => {
    const before = judge({ deployment: upToDate, pods: [readyPod] }).status
    const stopping = { ...spec, generation: 2, suspended: ["payment"] as const }
    const draining = judge({ before, spec: stopping, pods: [readyPod] })
    assert.deepStrictEqual([draining.status.phase, tags(draining)], ["active", []])
    const stopped = judge({ before: draining.status, spec: stopping })
    assert.deepStrictEqual([stopped.status.phase, tags(stopped)], ["suspended", ["suspended"]])
  })

  it("confirms a new generation even when nothing had to be restarted for it", () => {
    const before = judge({ deployment: upToDate, pods: [readyPod] }).status
    const verdict = judge({ before, spec: { ...spec, generation: 2 }, deployment: upToDate, pods: [readyPod] })
    assert.deepStrictEqual(
      verdict.events.map(({ _tag, generation }) => [_tag, generation]),
      [["active", 2]],
    )
  })

  it("keeps reports that may not have arrived until they have", () => {
    const first = judge()
    const second = judge({ before: first.status, delivered: false, repaired: ["Service x"] })
    assert.deepStrictEqual(
      second.status.reports.map(({ _tag }) => _tag),
      ["step", "step", "driftRepaired"],
    )
  })

  it("starts over when a deletion under way is no longer wanted, and still counts on", () => {
    const deleting = judge({ before: { ...initial, phase: "active", seq: 5_000 }, deprovision: "going" }).status
    assert.strictEqual(deleting.phase, "deprovisioning")
    const renewed = judge({ before: deleting, spec: { ...spec, generation: 2 } })
    assert.strictEqual(renewed.status.phase, "provisioning")
    assert.isAbove(renewed.events[0]?.seq ?? 0, 5_000)
  })
})
