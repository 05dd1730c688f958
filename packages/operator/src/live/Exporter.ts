/**
 * The exporter: a volume goes, in OpenClaw's layout, packed and encrypted, to where the destination says. It reads the
 * volume twice, once to know the size, so that it holds no more than a few megabytes of it. It may be killed and run again
 * at any time: the same objects are written anew.
 */
import * as Age from "age-encryption"
import type { Destination, Written } from "@berth/domain/Exports"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { isLeftOut } from "../export/Layout.ts"
import { archive, type Source } from "./export/Archive.ts"
import { settleDatabases } from "./export/Databases.ts"
import { put } from "./export/Upload.ts"

/** Nothing of use was written. `message` holds no secret and may be shown to ops. */
export class ExportFailed extends Schema.TaggedError<ExportFailed>()("ExportFailed", { message: Schema.String }) {}

export interface Task {
  readonly source: Source
  /** An age public key. */
  readonly recipient: string
  readonly destination: Redacted.Redacted<Destination>
}

const run = async ({ source, recipient, destination }: Task): Promise<Written> => {
  await settleDatabases(source.volume, isLeftOut)
  let plain = 0
  for await (const chunk of archive(source)) plain += chunk.length
  const encrypter = new Age.Encrypter()
  encrypter.addRecipient(recipient)
  const encrypted = await encrypter.encrypt(archive(source))
  return await put(encrypted, encrypted.size(plain), Redacted.value(destination))
}

export const exportVolume = (task: Task): Effect.Effect<Written, ExportFailed> =>
  Effect.tryPromise({
    try: () => run(task),
    catch: (error) => new ExportFailed({ message: error instanceof Error ? error.message : String(error) }),
  }).pipe(Effect.withSpan("Exporter.exportVolume"))
