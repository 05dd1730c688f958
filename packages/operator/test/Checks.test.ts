/** Every trouble from what Kubernetes and the agent really say: condition, phase, event and its end. */
import { assert, describe, it } from "@effect/vitest"
import type { AgentStatus } from "../src/Agent.ts"
import type { Findings } from "../src/Checks.ts"
import type { Stored } from "../src/Manifest.ts"
import { decide, initial, type Sight } from "../src/Status.ts"
import { type Reason, troubles } from "../src/Troubles.ts"
import { ada, spec } from "./World.ts"

const now = Date.parse("2026-11-30T12:00:00Z")
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString()

const stored = (kind: string, status: object, name = "openclaw", created = ago(3_600)): Stored => ({
  apiVersion: "v1",
  kind,
  metadata: {
    name,
    namespace: "customer-ada",
    uid: `${kind}-${name}`,
    resourceVersion: "1",
    generation: 1,
    creationTimestamp: created,
  },
  status,
})

const scheduled = { type: "PodScheduled", status: "True" }
const readiness = (status: string, since = ago(10)) => ({ type: "Ready", status, lastTransitionTime: since })
const runningContainer = { name: "openclaw", ready: true, restartCount: 0, state: { running: {} } }

const runningPod = (container: object = {}) =>
  stored("Pod", {
    phase: "Running",
    conditions: [scheduled, readiness("True")],
    containerStatuses: [{ ...runningContainer, ...container }],
  })
const startingPod = (container: object, more: { init?: object; since?: string } = {}) =>
  stored("Pod", {
    phase: "Pending",
    conditions: [scheduled, readiness("False", more.since)],
    initContainerStatuses: more.init === undefined ? [] : [more.init],
    containerStatuses: [{ name: "openclaw", ready: false, restartCount: 0, state: {}, ...container }],
  })
const waiting = (reason: string) => ({ state: { waiting: { reason, message: "registry.internal says no" } } })
const terminated = (reason: string, seconds: number, ran = 5) => ({
  terminated: { reason, exitCode: 137, startedAt: ago(seconds + ran), finishedAt: ago(seconds) },
})
const unschedulable = { type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes" }
const unscheduledPod = (seconds: number) =>
  stored(
    "Pod",
    { phase: "Pending", conditions: [{ ...unschedulable, lastTransitionTime: ago(seconds) }] },
    "openclaw",
    ago(seconds),
  )
const evictedPod = (message: string, seconds: number) =>
  stored(
    "Pod",
    {
      phase: "Failed",
      reason: "Evicted",
      message,
      containerStatuses: [{ name: "openclaw", state: terminated("Error", seconds) }],
    },
    "evicted",
    ago(7_200),
  )

const upToDate = stored("Deployment", { observedGeneration: 1, updatedReplicas: 1, readyReplicas: 1 })
const withoutPod = (message: string, seconds: number) =>
  stored("Deployment", {
    observedGeneration: 1,
    conditions: [
      { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message, lastTransitionTime: ago(seconds) },
    ],
  })
const stalled = stored("Deployment", {
  observedGeneration: 1,
  conditions: [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }],
})

const sight = (change: Partial<Sight>): Sight => ({
  customerId: ada,
  spec,
  before: initial,
  placed: ["Namespace", "Deployment"],
  repaired: [],
  waiting: false,
  queued: false,
  findings: undefined,
  trouble: undefined,
  deployment: upToDate,
  pods: [],
  deletedByHand: false,
  deprovision: "no",
  delivered: true,
  usedSeq: 0,
  ...change,
})
const judge = (change: Partial<Sight>, at = now) => decide(sight(change), at, new Date(at).toISOString())
const conditionOf = (status: AgentStatus, type: string) => status.conditions.find((one) => one.type === type)
const isFalse = (status: AgentStatus) =>
  status.conditions.flatMap((one) => (one.type !== "Ready" && one.status === "False" ? [one.type] : []))

/** An agent that runs and has been told of. */
const active = judge({ pods: [runningPod()] }).status
const found = (findings: Omit<Findings, "podUid">): Findings => ({ podUid: "Pod-openclaw", ...findings })
const gib = 2 ** 30

/** What keeps an agent from running: the phase is failed, and said once. */
const standstills: ReadonlyArray<readonly [reason: Reason, what: string, sight: Partial<Sight>]> = [
  ...["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"].map(
    (reason) => ["ImagePullFailed", reason, { pods: [startingPod(waiting(reason))] }] as const,
  ),
  [
    "ImagePullFailed",
    "of the container that waits for the policy",
    { pods: [startingPod({}, { init: { name: "wait-for-policy", ...waiting("ErrImagePull") } })] },
  ],
  ["ConfigurationMissing", "a Secret without its key", { pods: [startingPod(waiting("CreateContainerConfigError"))] }],
  ["ConfigurationMissing", "a runtime that is not there", { pods: [startingPod(waiting("RunContainerError"))] }],
  [
    "Crashing",
    "backing off",
    { pods: [startingPod({ ...waiting("CrashLoopBackOff"), lastState: terminated("Error", 9) })] },
  ],
  [
    "Crashing",
    "the moment between two tries",
    { pods: [startingPod({ restartCount: 3, state: { running: {} }, lastState: terminated("Error", 30) })] },
  ],
  [
    "OutOfMemory",
    "backing off after it was killed",
    { pods: [startingPod({ ...waiting("CrashLoopBackOff"), lastState: terminated("OOMKilled", 9) })] },
  ],
  ["NoRoom", "no node takes it", { pods: [unscheduledPod(60)] }],
  [
    "QuotaTooSmall",
    "the pod exceeds it",
    {
      deployment: withoutPod(
        'pods "openclaw-1" is forbidden: exceeded quota: openclaw, requested: limits.memory=2Gi',
        60,
      ),
    },
  ],
  [
    "PodRefused",
    "PodSecurity",
    { deployment: withoutPod('pods "x" is forbidden: violates PodSecurity "restricted"', 60) },
  ],
  [
    "SlowStart",
    "by the Deployment's deadline",
    { deployment: stalled, pods: [startingPod({ state: { running: {} } })] },
  ],
  ["SlowStart", "by the pod's own age", { pods: [startingPod({ state: { running: {} } }, { since: ago(301) })] }],
]

/** What ails an agent that runs all the same. */
const ailments: ReadonlyArray<readonly [reason: Reason, what: string, ill: Partial<Sight>, well: Partial<Sight>]> = [
  [
    "BotTokenRejected",
    "Telegram says 401",
    { findings: found({ botToken: "rejected" }) },
    { findings: found({ botToken: "accepted" }) },
  ],
  [
    "TelegramNotConnected",
    "the channel is down",
    { findings: found({ telegram: "notConnected" }) },
    { findings: found({ telegram: "connected" }) },
  ],
  ["DatabaseRefused", "its database", { findings: found({ data: "refused" }) }, { findings: found({ data: "open" }) }],
  [
    "OutOfMemory",
    "the container was killed a minute ago",
    { pods: [runningPod({ restartCount: 1, lastState: terminated("OOMKilled", 60) })] },
    { pods: [runningPod({ restartCount: 1, lastState: terminated("OOMKilled", 3_601) })] },
  ],
  [
    "DiskNearlyFull",
    "85% of the volume",
    { findings: found({ disk: { used: 8.5 * gib, capacity: 10 * gib } }) },
    { findings: found({ disk: { used: 7.9 * gib, capacity: 10 * gib } }) },
  ],
  [
    "DiskFull",
    "97% of the volume",
    { findings: found({ disk: { used: 9.7 * gib, capacity: 10 * gib } }) },
    { findings: found({ disk: { used: 1 * gib, capacity: 10 * gib } }) },
  ],
  ...[
    'Usage of EmptyDir volume "tmp" exceeds the limit "256Mi". ',
    'Container openclaw exceeded its local ephemeral storage limit "1Gi". ',
    "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
  ].map(
    (message) =>
      [
        "TemporaryDiskFull",
        message,
        { pods: [evictedPod(message, 60), runningPod()] },
        { pods: [evictedPod(message, 3_601), runningPod()] },
      ] as const,
  ),
]

describe("an agent that does not run", () => {
  for (const [reason, what, change] of standstills)
    it(`is failed for ${reason}: ${what}`, () => {
      const verdict = judge(change)
      assert.strictEqual(verdict.status.phase, "failed")
      const failed = verdict.events.find(({ _tag }) => _tag === "failed")
      assert.deepInclude(failed, { reason, message: troubles[reason].message, retriable: true })
      assert.deepInclude(conditionOf(verdict.status, "Ready"), { status: "False", reason })
      const side = troubles[reason].condition
      if (side !== "Ready") assert.deepInclude(conditionOf(verdict.status, side), { status: "False", reason })
      assert.notInclude(JSON.stringify(verdict), "registry.internal")
      const again = judge({ ...change, before: verdict.status })
      assert.deepStrictEqual(again, { status: verdict.status, events: [] })
      const well = judge({ before: verdict.status, pods: [runningPod()] }, now + 3_700_000)
      assert.strictEqual(well.status.phase, "active")
      assert.deepStrictEqual(isFalse(well.status), [])
      assert.notInclude(JSON.stringify(well.events), "recovered", "an agent that is active again says enough")
    })

  it("is not failed for a wait that is over in a moment", () => {
    for (const change of [
      { pods: [unscheduledPod(5)] },
      { deployment: withoutPod("exceeded quota: openclaw", 5) },
      { deployment: withoutPod("violates PodSecurity", 5) },
      { pods: [startingPod(waiting("ContainerCreating"))] },
      { pods: [startingPod({ restartCount: 1, state: { running: {} }, lastState: terminated("Error", 5) })] },
      // Restarted over the months, each time after a long run.
      { pods: [startingPod({ restartCount: 9, state: { running: {} }, lastState: terminated("Error", 5, 86_400) })] },
      { pods: [startingPod({ state: { running: {} } }, { since: ago(60) })] },
    ] satisfies ReadonlyArray<Partial<Sight>>) {
      const { status } = judge(change)
      assert.deepStrictEqual([status.phase, isFalse(status)], ["provisioning", []], JSON.stringify(change.pods))
    }
  })

  it("says that it waits for its turn, and confirms nothing before", () => {
    const queued = judge({ deployment: undefined, queued: true })
    assert.deepInclude(conditionOf(queued.status, "StartQueued"), { status: "True" })
    assert.deepInclude(conditionOf(queued.status, "Ready"), { status: "False", reason: "StartQueued" })
    assert.deepInclude(queued.status, { phase: "provisioning", observedGeneration: 0 })
    const started = judge({ before: queued.status, pods: [runningPod()] })
    assert.deepInclude(conditionOf(started.status, "StartQueued"), { status: "False" })
  })
})

describe("an agent that runs", () => {
  for (const [reason, what, ill, well] of ailments)
    it(`is in trouble for ${reason}: ${what}`, () => {
      const side = troubles[reason].condition
      const fallen = judge({ pods: [runningPod()], before: active, ...ill })
      assert.strictEqual(fallen.status.phase, "active")
      assert.deepInclude(conditionOf(fallen.status, side), { status: "False", reason })
      assert.deepInclude(conditionOf(fallen.status, "Ready"), { status: "True" })
      assert.deepStrictEqual(
        fallen.events.map((event) => (event._tag === "troubled" ? [event.reason, event.condition] : event._tag)),
        [[reason, side]],
      )
      const still = judge({ pods: [runningPod()], ...ill, before: fallen.status }, now + 300_000)
      assert.deepStrictEqual(still, { status: fallen.status, events: [] }, "not repeated")
      const better = judge({ pods: [runningPod()], ...well, before: fallen.status })
      assert.deepStrictEqual(
        better.events.map((event) => (event._tag === "recovered" ? [event.reason, event.condition] : event._tag)),
        [[reason, side]],
      )
      assert.deepStrictEqual([isFalse(better.status), better.status.troubles], [[], undefined])
      assert.deepInclude(conditionOf(better.status, side), { status: "True" })
      const healthy = judge({ pods: [runningPod()], ...well, before: better.status })
      assert.deepStrictEqual(healthy, { status: better.status, events: [] })
    })

  it("is not accused by what is not known", () => {
    const fallen = judge({ pods: [runningPod()], before: active, findings: found({ botToken: "rejected" }) })
    const unknown = judge({ pods: [runningPod()], before: fallen.status, findings: undefined })
    assert.deepStrictEqual(unknown, { status: fallen.status, events: [] })
    assert.deepStrictEqual(judge({ pods: [runningPod()], before: active, findings: found({}) }).events, [])
    const nothing = found({ disk: { used: 0, capacity: 0 } })
    assert.deepStrictEqual(judge({ pods: [runningPod()], before: active, findings: nothing }).events, [])
  })

  it("is not blamed for what was found of the pod before it", () => {
    const findings = { ...found({ botToken: "rejected" }), podUid: "another" }
    assert.deepStrictEqual(judge({ pods: [runningPod()], before: active, findings }).events, [])
  })

  it("is not to blame for a node that lacks room", () => {
    const message = "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi, available: 5Mi. "
    assert.deepStrictEqual(judge({ before: active, pods: [evictedPod(message, 60), runningPod()] }).events, [])
  })

  it("between two marks of its storage is what it was", () => {
    const at = (share: number) => ({
      pods: [runningPod()],
      findings: found({ disk: { used: share * 100, capacity: 100 } }),
    })
    const reasonAt = (share: number, before: AgentStatus) => {
      const { status, events } = judge({ ...at(share), before })
      const disk = conditionOf(status, "Disk")
      return { status, said: disk?.status === "False" ? disk.reason : "well", events: events.map(({ _tag }) => _tag) }
    }
    const first = reasonAt(0.84, active)
    const second = reasonAt(0.86, first.status)
    const third = reasonAt(0.81, second.status)
    const fourth = reasonAt(0.98, third.status)
    const fifth = reasonAt(0.96, fourth.status)
    const sixth = reasonAt(0.9, fifth.status)
    const seventh = reasonAt(0.79, sixth.status)
    assert.deepStrictEqual(
      [first, second, third, fourth, fifth, sixth, seventh].map(({ said, events }) => [said, ...events]),
      [
        ["well"],
        ["DiskNearlyFull", "troubled"],
        ["DiskNearlyFull"],
        ["DiskFull", "troubled"],
        ["DiskFull"],
        ["DiskNearlyFull", "troubled"],
        ["well", "recovered"],
      ],
    )
  })

  it("is told of a trouble again when it comes back from a stop with it, not while it restarts", () => {
    const rejected = found({ botToken: "rejected" })
    const fallen = judge({ pods: [runningPod()], before: active, findings: rejected })
    const restarting = judge({ pods: [startingPod({ state: { running: {} } })], before: fallen.status })
    assert.deepStrictEqual([restarting.status.phase, restarting.events], ["updating", []])
    const back = judge({ pods: [runningPod()], before: restarting.status, findings: rejected })
    assert.deepStrictEqual(
      back.events.map(({ _tag }) => _tag),
      ["active"],
    )
    const stopped = judge({ before: fallen.status, spec: { ...spec, suspended: ["customer"] } })
    assert.deepStrictEqual([stopped.status.phase, stopped.status.troubles], ["suspended", undefined])
    const resumed = judge({ pods: [runningPod()], before: stopped.status, findings: rejected })
    assert.deepStrictEqual(
      resumed.events.map(({ _tag }) => _tag),
      ["active", "troubled"],
    )
  })
})

describe("the words", () => {
  it("are for customers: a whole sentence, nothing of the cluster's", () => {
    for (const [reason, { message }] of Object.entries(troubles)) {
      assert.match(message, /^(Your agent|There is|Telegram|A part).*\.$/, reason)
      assert.notMatch(message, /\b(pod|node|namespace|container|kubelet|PVC|image|quota|OOM|deployment)\b/i, reason)
    }
  })

  it("are all tried here, but for those that come from what is asked of the cluster", () => {
    const tried = new Set<string>([...standstills, ...ailments].map(([reason]) => reason))
    assert.deepStrictEqual(
      Object.keys(troubles).filter((reason) => !tried.has(reason)),
      // In Troubles.test.ts; the export in Deprovision.test.ts.
      ["SecretsMissing", "ExportFailed", "EraseFailed", "Refused"],
    )
  })
})
