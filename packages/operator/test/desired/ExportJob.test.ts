import { assert, describe, it } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import * as Redacted from "effect/Redacted"
import { exportJob, exportSecret } from "../../src/desired/ExportJob.ts"
import { selectorOf } from "../../src/desired/Names.ts"
import { at } from "../../src/Manifest.ts"

const ada = CustomerId.make("ada")
const job = exportJob({ customerId: ada, generation: 7, attempt: 2, image: "exporter@sha256:1", recipient: "age1x" })
const pod = at(job, "spec", "template", "spec")
const container = at(pod, "containers", 0)

describe("the Job of an export", () => {
  it("is one try with an end, named by the deletion and its number", () => {
    assert.strictEqual(job.metadata.name, "export-7-2")
    assert.strictEqual(job.metadata.namespace, "customer-ada")
    assert.deepInclude(at(job, "spec"), { backoffLimit: 0, activeDeadlineSeconds: 21_600 })
    assert.strictEqual(at(pod, "restartPolicy"), "Never")
  })

  it("is never taken for the agent by the Service, the network policy or the operator", () => {
    const labels = at(job, "spec", "template", "metadata", "labels") as Record<string, string>
    assert.isFalse(Object.entries(selectorOf(ada)).every(([name, value]) => labels[name] === value))
  })

  it("holds the volume, the configuration and a destination; no token and no secret of the agent's", () => {
    assert.deepStrictEqual(
      (at(pod, "volumes") as ReadonlyArray<object>).map((volume) => Object.keys(volume).find((key) => key !== "name")),
      ["persistentVolumeClaim", "configMap"],
    )
    assert.strictEqual(at(pod, "automountServiceAccountToken"), false)
    assert.deepStrictEqual(at(container, "env"), [
      { name: "EXPORT_NAME", value: "berth-ada-7" },
      { name: "EXPORT_AGE_RECIPIENT", value: "age1x" },
      { name: "EXPORT_DESTINATION", valueFrom: { secretKeyRef: { name: "export", key: "EXPORT_DESTINATION" } } },
    ])
    assert.isUndefined(at(container, "envFrom"))
  })

  it("runs as restricted as the agent, as the user whose files they are", () => {
    for (const name of ["runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup"])
      assert.strictEqual(at(pod, "securityContext", name), name === "runAsNonRoot" ? true : 10_001, name)
    assert.deepInclude(at(container, "securityContext"), {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
    })
    assert.deepStrictEqual(at(container, "securityContext", "capabilities"), { drop: ["ALL"] })
  })

  it("is given a destination that can be taken back", () => {
    const text = (secret: unknown) =>
      Buffer.from(String(at(secret, "data", "EXPORT_DESTINATION")), "base64").toString("utf8")
    const destination = { parts: ["https://store.test/a?X-Amz-Signature=1"] } as const
    assert.deepStrictEqual(JSON.parse(text(exportSecret(ada, Redacted.make(destination)))), destination)
    assert.strictEqual(text(exportSecret(ada, undefined)), "")
  })
})
