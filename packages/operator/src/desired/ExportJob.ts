/**
 * The Job that exports an agent's data before it is deleted: one try, in the customer's own namespace under its quota and
 * network policy, as the user that owns the data. All it holds is the volume, the configuration, and where to put them. Pure.
 */
import type { Destination } from "@berth/domain/Exports"
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import * as Redacted from "effect/Redacted"
import { agentPaths } from "../export/Layout.ts"
import type { Manifest, ObjectMeta } from "../Manifest.ts"
import { posix } from "node:path"
import { securityContext, user } from "./Deployment.ts"
import { app, claimName, customerLabel } from "./Names.ts"

export const exporter = "exporter"
/** The generation of the deletion that a Job exports for. */
export const generationLabel = "berth.dev/export-generation"
/** How many Jobs were made for that before, and this one. */
export const attemptLabel = "berth.dev/export-attempt"

const destinationSecret = "export"
const destinationKey = "EXPORT_DESTINATION"

/** More than the largest volume takes, and well within the time for which a destination is good. */
const deadlineSeconds = 6 * 3_600

const metadataOf = (customerId: CustomerId, name: string, labels: ObjectMeta["labels"] = {}): ObjectMeta => ({
  name,
  namespace: namespaceOf(customerId),
  labels: {
    "app.kubernetes.io/name": exporter,
    "app.kubernetes.io/managed-by": "berth-operator",
    [customerLabel]: customerId,
    ...labels,
  },
})

/** Where the next try puts what it reads; `undefined` takes back what was given. */
export const exportSecret = (
  customerId: CustomerId,
  destination: Redacted.Redacted<Destination> | undefined,
): Manifest => {
  const text = destination === undefined ? "" : JSON.stringify(Redacted.value(destination))
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: metadataOf(customerId, destinationSecret),
    type: "Opaque",
    data: { [destinationKey]: Buffer.from(text, "utf8").toString("base64") },
  }
}

export interface ExportRun {
  readonly customerId: CustomerId
  readonly generation: number
  readonly attempt: number
  readonly image: string
  readonly recipient: string
}

export const exportJob = ({ customerId, generation, attempt, image, recipient }: ExportRun): Manifest => {
  const metadata = metadataOf(customerId, `export-${generation}-${attempt}`, {
    [generationLabel]: String(generation),
    [attemptLabel]: String(attempt),
  })
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata,
    spec: {
      parallelism: 1,
      completions: 1,
      completionMode: "NonIndexed",
      // Another try gets a destination of its own, so it is another Job.
      backoffLimit: 0,
      activeDeadlineSeconds: deadlineSeconds,
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: "TerminatingOrFailed",
      template: {
        metadata: { labels: metadata.labels },
        spec: {
          serviceAccountName: app,
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          restartPolicy: "Never",
          dnsPolicy: "ClusterFirst",
          schedulerName: "default-scheduler",
          terminationGracePeriodSeconds: 5,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: user,
            runAsGroup: user,
            fsGroup: user,
            fsGroupChangePolicy: "OnRootMismatch",
            seccompProfile: { type: "RuntimeDefault" },
          },
          containers: [
            {
              name: exporter,
              image,
              imagePullPolicy: "IfNotPresent",
              terminationMessagePath: "/dev/termination-log",
              terminationMessagePolicy: "File",
              command: ["node", "packages/operator/src/bin/export.ts"],
              env: [
                { name: "EXPORT_NAME", value: `berth-${customerId}-${generation}` },
                { name: "EXPORT_AGE_RECIPIENT", value: recipient },
                { name: destinationKey, valueFrom: { secretKeyRef: { name: destinationSecret, key: destinationKey } } },
              ],
              resources: {
                requests: { cpu: "100m", memory: "256Mi", "ephemeral-storage": "16Mi" },
                limits: { cpu: "1", memory: "512Mi", "ephemeral-storage": "16Mi" },
              },
              securityContext,
              // Written to as well: what a killed gateway left in a database's log is taken into the database.
              volumeMounts: [
                { name: "data", mountPath: agentPaths.volume },
                { name: "config", mountPath: posix.dirname(agentPaths.config), readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: "data", persistentVolumeClaim: { claimName } },
            { name: "config", configMap: { name: app, defaultMode: 0o444 } },
          ],
        },
      },
    },
  }
}
