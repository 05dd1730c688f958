/**
 * What control asks of the operator. A job carries the whole desired state, so the newest alone is enough and an older
 * generation is acknowledged and ignored; `reason` only picks the lane.
 */
import * as Schema from "effect/Schema"
import { CustomerId } from "./Ids.ts"
import { SuspensionReason } from "./Lifecycle.ts"
import { ModelId, SoldTierId } from "./Tiers.ts"

export const JobReason = Schema.Literals([
  "provision",
  "update",
  "suspend",
  "resume",
  "restart",
  "rotate",
  "deprovision",
])
export type JobReason = typeof JobReason.Type

/** The pod's secrets, each with a version of its own that only grows. */
export const SecretPurpose = Schema.Literals(["proxyToken", "botToken", "gatewayToken"])
export type SecretPurpose = typeof SecretPurpose.Type

const Version = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))

/** Everything that decides what an agent should be, without a secret in it. It is the `spec` of the Agent resource. */
export const Desired = Schema.Struct({
  tier: SoldTierId,
  /** Allowed models, the first is the default. */
  models: Schema.NonEmptyArray(ModelId),
  /** Resolved by the operator to a digest of its own list. */
  imageChannel: Schema.Literals(["stable"]),
  telegram: Schema.Struct({
    /** `@name` of the customer's bot, without the at sign. */
    botUsername: Schema.String,
    /** Decimal user ids; anyone else gets no reply. */
    allowedUserIds: Schema.Array(Schema.String.check(Schema.isPattern(/^[1-9][0-9]{0,19}$/))),
  }),
  suspended: Schema.Array(SuspensionReason),
  secrets: Schema.Struct({ proxyToken: Version, botToken: Version, gatewayToken: Version }),
  /** Epoch ms of the last asked-for restart; a new value rolls the pod. */
  restartedAt: Schema.optionalKey(Schema.Int),
  /** Data is deleted only when the generation of the deprovision job stands here. */
  deletion: Schema.optionalKey(Schema.Struct({ confirmedGeneration: Schema.Int })),
})
export type Desired = typeof Desired.Type

/** One secret sealed to the operator's public key (age). Control can write it but not read it. */
export const Sealed = Schema.Struct({ purpose: SecretPurpose, version: Version, envelope: Schema.String })
export type Sealed = typeof Sealed.Type

export const Job = Schema.Struct({
  v: Schema.Literal(1),
  id: Schema.NonEmptyString,
  reason: JobReason,
  customerId: CustomerId,
  generation: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)),
  desired: Desired,
  /** All current envelopes, one for each of `desired.secrets`. */
  sealed: Schema.Array(Sealed),
  /** Epoch ms. */
  enqueuedAt: Schema.Int,
})
export type Job = typeof Job.Type

/** The job as it stands on `operator:jobs`. */
export const JobJson = Schema.fromJsonString(Job)
