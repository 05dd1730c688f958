/**
 * What any program could reach at best: the very objects of an agent, applied one after the other, a number of agents at a
 * time, with nothing decided, read or watched.
 */
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { agentManifest } from "../src/Agent.ts"
import type { Cluster } from "../src/Cluster.ts"
import { desired } from "../src/desired/Objects.ts"
import type { Manifest } from "../src/Manifest.ts"
import { recordManifest } from "../src/Records.ts"
import { embedded } from "../src/Settings.ts"
import { desiredState, secrets } from "../test/World.ts"

const atOnce = 16

/** With the operator's rights, which hold in a new namespace a moment after they were bound. */
const applied = (cluster: Cluster["Service"], object: Manifest) =>
  cluster.apply(object).pipe(
    Effect.retry({
      schedule: Schedule.spaced("10 millis"),
      while: (error) => error._tag === "Refused" && error.reason === "Forbidden",
    }),
  )

/** Agents per second. */
export const bareLoop = Effect.fn(function* (cluster: Cluster["Service"], customers: ReadonlyArray<CustomerId>) {
  const spec = { ...desiredState, generation: 1 }
  const agents = customers.map((customerId) => [
    recordManifest(customerId, spec, secrets),
    agentManifest(customerId, spec),
    ...desired({ customerId, spec }, secrets, embedded).map(({ object }) => object),
  ])
  const began = performance.now()
  yield* Effect.forEach(
    agents,
    (objects) => Effect.forEach(objects, (object) => applied(cluster, object), { discard: true }),
    { concurrency: atOnce, discard: true },
  )
  return (1_000 * customers.length) / (performance.now() - began)
})
