/**
 * What the operator keeps for itself, in the namespace `berth-agents` that holds nothing else: for each agent one Secret
 * `agent-<id>` with its opened secrets and the newest desired state, so that drift repair and an Agent deleted by hand
 * need nobody else; and after its deletion a tombstone with the last generation, so that no late job brings it back.
 */
import type { CustomerId } from "@berth/domain/Ids"
import type { SecretPurpose } from "@berth/domain/Jobs"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { AgentSpec } from "./Agent.ts"
import type { Cluster } from "./Cluster.ts"
import { customerLabel, secretKeys } from "./desired/Names.ts"
import { type AgentSecrets, secretData } from "./desired/Secret.ts"
import { at, type Manifest, type Ref, type Stored } from "./Manifest.ts"

export const recordsNamespace = "berth-agents"
const specAnnotation = "berth.dev/spec"
const SpecJson = Schema.fromJsonString(AgentSpec)

/** Of an object of the operator's own that is about a customer. */
export const ownMetadata = (customerId: CustomerId, name: string) => ({
  name,
  namespace: recordsNamespace,
  labels: { [customerLabel]: customerId, "app.kubernetes.io/managed-by": "berth-operator" },
})

const secretRef = (customerId: CustomerId): Ref => ({
  kind: "Secret",
  namespace: recordsNamespace,
  name: `agent-${customerId}`,
})

const tombstoneRef = (customerId: CustomerId): Ref => ({
  kind: "ConfigMap",
  namespace: recordsNamespace,
  name: `tombstone-${customerId}`,
})

/** The record that an accepted job leaves before its Agent is written; with `version`, only on top of that resourceVersion. */
export const recordManifest = (
  customerId: CustomerId,
  spec: AgentSpec,
  secrets: AgentSecrets,
  version?: string,
): Manifest => {
  const base = ownMetadata(customerId, secretRef(customerId).name)
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      ...base,
      annotations: { [specAnnotation]: Schema.encodeSync(SpecJson)(spec) },
      ...(version === undefined ? {} : { resourceVersion: version }),
    },
    type: "Opaque",
    data: secretData(secrets),
  }
}

export interface AgentRecord {
  readonly resourceVersion: string
  readonly spec: AgentSpec
  readonly secrets: AgentSecrets
}

const decodeRecord = (object: Stored): Option.Option<AgentRecord> => {
  const purposes = Object.entries(secretKeys).map(([purpose, key]) => [purpose, at(object, "data", key)] as const)
  if (!purposes.every(([, value]) => typeof value === "string")) return Option.none()
  const secrets = Object.fromEntries(
    purposes.map(([purpose, value]) => [purpose, Redacted.make(Buffer.from(String(value), "base64").toString("utf8"))]),
  ) as Record<SecretPurpose, Redacted.Redacted<string>>
  return Option.map(Schema.decodeUnknownOption(SpecJson)(object.metadata.annotations?.[specAnnotation]), (spec) => ({
    spec,
    resourceVersion: object.metadata.resourceVersion,
    secrets,
  }))
}

/** None when there is no record, or when it can't be read: either way only a new job can help. */
export const readRecord = Effect.fn("Records.read")(function* (cluster: Cluster["Service"], customerId: CustomerId) {
  return Option.flatMap(yield* cluster.get(secretRef(customerId)), decodeRecord)
})

/** The customers that have a record. */
export const recorded = Effect.fn("Records.list")(function* (cluster: Cluster["Service"]) {
  const { items } = yield* cluster.list("Secret", { namespace: recordsNamespace, labels: { [customerLabel]: "" } })
  return items.flatMap((item) => item.metadata.labels?.[customerLabel] ?? [])
})

/** The generation with which an agent was deleted, 0 if it never was. */
export const tombstone = Effect.fn("Records.tombstone")(function* (
  cluster: Cluster["Service"],
  customerId: CustomerId,
) {
  const found = yield* cluster.get(tombstoneRef(customerId))
  return Number(Option.match(found, { onNone: () => 0, onSome: (object) => at(object, "data", "generation") }))
})

/** Bars every job up to this generation, then forgets the secrets. */
export const bury = Effect.fn("Records.bury")(function* (
  cluster: Cluster["Service"],
  customerId: CustomerId,
  generation: number,
) {
  yield* cluster.apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownMetadata(customerId, tombstoneRef(customerId).name),
    data: { generation: String(generation) },
  })
  yield* cluster.remove(secretRef(customerId)).pipe(Effect.catchTag("NotFound", () => Effect.void))
})
