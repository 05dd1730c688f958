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
const versionOf = (secret: string) =>
  Version.annotate({ description: `Version of ${secret}. A new one rolls the pod.` })

/**
 * Everything that decides what an agent should be, without a secret in it. It is the `spec` of the Agent resource, and the
 * descriptions are what `kubectl explain agent.spec` and docs/operator.md say.
 */
export const Desired = Schema.Struct({
  tier: SoldTierId.annotate({
    description: "The tier that is paid for. It decides the pod's CPU and memory, the volume's size, and the models.",
  }),
  models: Schema.NonEmptyArray(ModelId)
    .check(Schema.isMaxLength(16), Schema.isUnique())
    .annotate({ description: "Models that the agent may use, each once. The first is its default." }),
  imageChannel: Schema.Literals(["stable"]).annotate({
    description: "Which OpenClaw runs. The operator resolves it to a digest of its own list.",
  }),
  telegram: Schema.Struct({
    botUsername: Schema.String.check(Schema.isPattern(/^[A-Za-z0-9_]{1,32}$/u)).annotate({
      description: "Name of the customer's bot, without the at sign.",
    }),
    allowedUserIds: Schema.Array(
      Schema.String.check(Schema.isPattern(/^[1-9][0-9]{0,19}$/u)).annotate({
        description: "A Telegram user id, in decimal.",
      }),
    )
      .check(Schema.isMaxLength(100))
      .annotate({ description: "Who may talk to the bot; anyone else gets no reply." }),
  }).annotate({ description: "The bot in front of the agent." }),
  suspended: Schema.Array(SuspensionReason)
    .check(Schema.isMaxLength(16), Schema.isUnique())
    .annotate({ description: "Why the agent is stopped, each reason once. It runs only while there is none." }),
  secrets: Schema.Struct({
    proxyToken: versionOf("the token with which the agent calls the token-proxy"),
    botToken: versionOf("the bot's token at Telegram"),
    gatewayToken: versionOf("the token of OpenClaw's own gateway"),
  }).annotate({ description: "Versions of the pod's secrets. The secrets themselves are never in an Agent." }),
  restartedAt: Schema.optionalKey(
    Schema.Int.annotate({ description: "When a restart was last asked for, in epoch ms. A new value rolls the pod." }),
  ),
  deletion: Schema.optionalKey(
    Schema.Struct({
      confirmedGeneration: Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({
        description: "Generation of the deprovision job. Data is deleted only when it stands here.",
      }),
      exportWaived: Schema.optionalKey(
        Schema.Boolean.annotate({
          description: "True when ops decided that the data is deleted although it was not exported. Audited.",
        }),
      ),
    }).annotate({ description: "Present when the agent and all of its data are to be deleted." }),
  ),
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
