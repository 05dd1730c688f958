/** Customers as control would order them: jobs with secrets of their own, sealed, on the operator's list in Redis. */
import { randomBytes } from "node:crypto"
import { CustomerId } from "@berth/domain/Ids"
import { type Desired, type Job, JobJson, type SecretPurpose } from "@berth/domain/Jobs"
import { JobQueue } from "@berth/domain/JobQueue"
import { mint } from "@berth/domain/ProxyToken"
import { Sealer } from "@berth/domain/Seal"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { desiredState } from "../World.ts"

export interface Tenant {
  readonly customerId: CustomerId
  readonly namespace: string
  readonly secrets: Readonly<Record<SecretPurpose, string>>
}

const random = () => randomBytes(24).toString("base64url")

export const tenant = (name: string, secrets: Partial<Tenant["secrets"]> = {}): Tenant => ({
  customerId: CustomerId.make(name),
  namespace: `customer-${name}`,
  secrets: {
    proxyToken: Redacted.value(mint(randomBytes(32))),
    botToken: `4242:AA${random()}`,
    gatewayToken: random(),
    ...secrets,
  },
})

export interface Order {
  readonly generation: number
  readonly reason?: Job["reason"]
  readonly desired?: Partial<Desired>
}

/** Puts the job on the list. */
export const order = Effect.fn("Tenants.order")(function* (
  { customerId, secrets }: Tenant,
  { desired, generation, reason = "provision" }: Order,
) {
  const sealer = yield* Sealer
  const queue = yield* JobQueue
  const wanted: Desired = { ...desiredState, tier: "starter", ...desired }
  const purposes = Object.keys(secrets) as ReadonlyArray<SecretPurpose>
  const job: Job = {
    v: 1,
    id: `job-${customerId}-${generation}`,
    reason,
    customerId,
    generation,
    desired: wanted,
    sealed: yield* Effect.forEach(purposes, (purpose) =>
      sealer.seal({ customerId, purpose, version: wanted.secrets[purpose] }, Redacted.make(secrets[purpose])),
    ),
    enqueuedAt: Date.now(),
  }
  yield* queue.push(yield* Effect.orDie(Schema.encodeEffect(JobJson)(job)))
})
