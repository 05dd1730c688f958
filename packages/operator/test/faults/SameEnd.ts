/**
 * How every fault must end: one Agent that stands for what was asked; everything it consists of, each object as meant; one
 * pod, Ready; the one volume, bound and kept; and of each thing one report.
 */
import type { AgentEvent } from "@berth/domain/AgentEvents"
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import type { Desired } from "@berth/domain/Jobs"
import { steps } from "@berth/domain/Lifecycle"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { specJson } from "../../src/Agent.ts"
import { claimName, volumeAnnotation } from "../../src/desired/Names.ts"
import { desired } from "../../src/desired/Objects.ts"
import { objectPath } from "../../src/Kinds.ts"
import { differenceFrom, missingFrom, refOf, type Stored } from "../../src/Manifest.ts"
import type { ControlPlane } from "../cluster/ControlPlane.ts"
import { isReady } from "../cluster/ControlPlane.ts"
import { agentPath } from "../RealCluster.ts"
import { desiredState, secrets } from "../World.ts"
import { Control } from "./Control.ts"
import { settings } from "./OperatorProcess.ts"

export interface Wanted {
  readonly generation?: number
  readonly desired?: Partial<Desired>
  /** By when; all of it is slow on a busy machine. */
  readonly seconds?: number
}

/** Waits until the Agent is active with its generation. */
export const comesUp = Effect.fn(function* (
  plane: ControlPlane["Service"],
  customerId: CustomerId,
  { generation = 1, seconds = 60 }: Wanted = {},
) {
  return yield* plane.api.until(
    agentPath(customerId),
    (agent) =>
      agent?.metadata.deletionTimestamp === undefined &&
      agent?.status?.phase === "active" &&
      agent.status.observedGeneration === generation,
    seconds,
  )
})

/** Asserts the state of the cluster; gives the name of the volume. */
export const standsAsMeant = Effect.fn(function* (
  plane: ControlPlane["Service"],
  customerId: CustomerId,
  wanted: Wanted,
  where: string,
) {
  const spec = { ...desiredState, ...wanted.desired, generation: wanted.generation ?? 1 }
  const { api } = plane
  const agent = yield* comesUp(plane, customerId, wanted)
  assert.isUndefined(missingFrom(specJson(spec), agent.spec), `${where}: the Agent says what was asked for`)
  const { items: agents } = yield* api.get("/apis/berth.dev/v1alpha1/agents")
  assert.strictEqual(
    agents.filter((one: Stored) => one.metadata.labels?.["berth.dev/customer"] === customerId).length,
    1,
    `${where}: one Agent`,
  )
  const root = `/api/v1/namespaces/${namespaceOf(customerId)}`
  const claim = yield* api.get(`${root}/persistentvolumeclaims/${claimName}`)
  const volumeName = claim.metadata.annotations[volumeAnnotation]
  // A claim keeps its size; one that was made anew names the volume that it is for.
  const standing = {
    size: claim.spec.resources.requests.storage,
    ...(volumeName === undefined ? {} : { volumeName }),
  }
  for (const { object } of desired({ customerId, spec }, secrets, settings, standing)) {
    const stored: Stored | undefined = yield* api.get(objectPath(refOf(object)))
    assert.isDefined(stored, `${where}: ${object.kind} stands`)
    if (stored !== undefined) assert.isUndefined(differenceFrom(object, stored), `${where}: ${object.kind}`)
  }
  const { items: pods } = yield* api.get(`${root}/pods`)
  const living = pods.filter((pod: Stored) => pod.metadata.deletionTimestamp === undefined)
  assert.strictEqual(living.length, 1, `${where}: one pod`)
  assert.isTrue(isReady(living[0]), `${where}: it is Ready`)
  assert.strictEqual(claim.status.phase, "Bound", where)
  const { items: volumes } = yield* api.get("/api/v1/persistentvolumes")
  const mine = volumes.filter((one: any) => one.spec.claimRef?.namespace === namespaceOf(customerId))
  assert.deepStrictEqual(
    mine.map((one: any) => [one.metadata.name, one.status.phase, one.spec.persistentVolumeReclaimPolicy]),
    [[claim.spec.volumeName, "Bound", "Retain"]],
    `${where}: one volume, bound and kept`,
  )
  const records = yield* api.get(`/api/v1/namespaces/berth-agents/secrets/agent-${customerId}`)
  assert.isDefined(records, `${where}: the operator's own record`)
  return String(claim.spec.volumeName)
})

const tagOf = (event: AgentEvent): string =>
  event._tag === "step" ? event.step : event._tag === "active" ? `active ${event.generation}` : event._tag

/** What was told of the agent, once control has heard that it is active with the generation, and so many times over all. */
export const told = Effect.fn(function* (customerId: CustomerId, generation = 1, times = 1) {
  const control = yield* Control
  for (const until = performance.now() + 60_000; ;) {
    const { events, generation: reached, phase } = yield* control.heard(customerId)
    const tags = events.map(tagOf)
    // Redis may have been lost with the word itself; then a resync tells.
    const often = times === 1 || tags.filter((tag) => tag === `active ${generation}`).length >= times
    if (phase === "active" && reached >= generation && often) return tags
    if (performance.now() > until) return assert.fail(`control did not hear it of ${customerId}: ${tags.join(", ")}`)
    yield* Effect.sleep("50 millis")
  }
})

/** All that a first provisioning tells, each thing once. */
export const provisioned: ReadonlyArray<string> = [...steps, "active 1"]
