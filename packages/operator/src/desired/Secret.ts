/** The only object of an agent that holds secrets: the customer's own proxy token, bot token and gateway token. Pure. */
import type { CustomerId } from "@berth/domain/Ids"
import type { SecretPurpose } from "@berth/domain/Jobs"
import * as Redacted from "effect/Redacted"
import type { Manifest } from "../Manifest.ts"
import { app, metadataOf, secretKeys } from "./Names.ts"

export type AgentSecrets = Readonly<Record<SecretPurpose, Redacted.Redacted<string>>>

/** As a Secret's `data`: base64 by the variable that the pod reads. */
export const secretData = (secrets: AgentSecrets): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(secretKeys).map(([purpose, key]) => [
      key,
      Buffer.from(Redacted.value(secrets[purpose as SecretPurpose]), "utf8").toString("base64"),
    ]),
  )

export const secret = (customerId: CustomerId, secrets: AgentSecrets): Manifest => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: metadataOf(customerId, app),
  type: "Opaque",
  data: secretData(secrets),
})
