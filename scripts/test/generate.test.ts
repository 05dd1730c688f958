/** What is made from the code stands as it would be made now. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { agentSchema } from "../../packages/operator/src/Agent/Crd.ts"
import type { JsonObject } from "../../packages/operator/src/Manifest.ts"
import { agentReference } from "../generate/AgentReference.ts"
import { outputs, root, withMade } from "../generate/Outputs.ts"

describe("npm run generate", () => {
  it("has nothing to write: every made file is current", () => {
    for (const { file, text } of outputs()) assert.strictEqual(readFileSync(join(root, file), "utf8"), text, file)
  })

  it("says of every field of an Agent what it means", () => {
    const reference = agentReference(agentSchema)
    const rows = reference.split("\n").filter((line) => line.startsWith("| `"))
    assert.isAbove(rows.length, 20)
    assert.deepStrictEqual(
      rows.filter((row) => row.split(" | ")[2] === ""),
      [],
    )
    for (const field of ["spec.tier", "spec.telegram.allowedUserIds"].map((one) => one.slice("spec.".length)))
      assert.include(reference, `| \`${field}\` |`)
  })

  it("tells each rule that the server enforces", () => {
    const messages: Array<string> = []
    const walk = (node: JsonObject): void => {
      for (const rule of (node["x-kubernetes-validations"] ?? []) as ReadonlyArray<JsonObject>)
        messages.push(String(rule.message))
      for (const child of Object.values((node.properties ?? {}) as JsonObject)) walk(child as JsonObject)
    }
    walk(agentSchema)
    assert.isAbove(messages.length, 5)
    const reference = agentReference(agentSchema)
    for (const message of messages) assert.include(reference, message)
  })

  it("refuses a document without the marks", () => {
    assert.throws(() => withMade("nothing", "made"), /lacks/)
  })
})
