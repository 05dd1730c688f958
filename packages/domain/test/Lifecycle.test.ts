import { assert, describe, it } from "@effect/vitest"
import { mayFollow, Phase, steps } from "../src/Lifecycle.ts"

const phases = Phase.literals
const reachable = (from: Phase): ReadonlySet<Phase> => {
  const found = new Set<Phase>([from])
  for (const phase of found) for (const next of phases) if (mayFollow(phase, next)) found.add(next)
  return found
}

describe("Lifecycle", () => {
  it("lets an agent be provisioned, suspended and resumed", () => {
    const story: ReadonlyArray<Phase> = [
      "pending",
      "provisioning",
      "active",
      "suspended",
      "active",
      "updating",
      "active",
    ]
    for (const [index, phase] of story.slice(1).entries()) assert.isTrue(mayFollow(story[index] ?? phase, phase), phase)
  })

  it("lets every agent be deleted, and nothing be deleted but by deprovisioning", () => {
    for (const phase of phases) assert.isTrue(reachable(phase).has("deleted"), phase)
    assert.deepStrictEqual(
      phases.filter((phase) => phase !== "deleted" && mayFollow(phase, "deleted")),
      ["deprovisioning"],
    )
  })

  it("turns back from deprovisioning only by being put in place again", () => {
    assert.deepStrictEqual(
      phases.filter((phase) => mayFollow("deprovisioning", phase)),
      ["provisioning", "deprovisioning", "deleted"],
    )
  })

  it("becomes active only by way of provisioning, an update, or a suspension or failure that ends", () => {
    assert.deepStrictEqual(
      phases.filter((phase) => phase !== "active" && mayFollow(phase, "active")),
      ["provisioning", "updating", "suspended", "failed"],
    )
  })

  it("reports the steps of provisioning from the namespace to readiness", () => {
    assert.strictEqual(steps[0], "Namespace")
    assert.strictEqual(steps.at(-1), "Ready")
  })
})
