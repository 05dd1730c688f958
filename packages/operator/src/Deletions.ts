/**
 * How far the deletion of an agent has come, in a ConfigMap `deletion-<id>` beside the operator's records: it outlives the
 * Agent, whose status anybody who deletes it by hand takes along. Invariant: data is deleted only once `erasing` stands here,
 * and from then on the deletion goes to its end, whatever is asked for meanwhile: there is nothing whole to go back to.
 */
import { Exported } from "@berth/domain/Exports"
import type { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Cluster } from "./Cluster.ts"
import { at, type Ref } from "./Manifest.ts"
import { ownMetadata, recordsNamespace } from "./Records.ts"

export const Deletion = Schema.Struct({
  /** That of the job that confirmed it. */
  generation: Schema.Int,
  state: Schema.Literals(["exporting", "exported", "erasing", "erased"]),
  /** Absent where there was nothing to export, or ops gave it up. */
  exported: Schema.optionalKey(Exported),
})
export type Deletion = typeof Deletion.Type

const DeletionJson = Schema.fromJsonString(Deletion)

const nameOf = (customerId: CustomerId) => `deletion-${customerId}`
const refOf = (customerId: CustomerId): Ref => ({
  kind: "ConfigMap",
  namespace: recordsNamespace,
  name: nameOf(customerId),
})

/** That of the latest deletion, however long ago. */
export const readDeletion = Effect.fn("Deletions.read")(function* (
  cluster: Cluster["Service"],
  customerId: CustomerId,
) {
  const found = yield* cluster.get(refOf(customerId))
  return Option.flatMap(found, (object) => Schema.decodeUnknownOption(DeletionJson)(at(object, "data", "deletion")))
})

export const writeDeletion = Effect.fn("Deletions.write")(function* (
  cluster: Cluster["Service"],
  customerId: CustomerId,
  deletion: Deletion,
) {
  yield* cluster.apply({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownMetadata(customerId, nameOf(customerId)),
    data: { deletion: Schema.encodeSync(DeletionJson)(deletion) },
  })
})
