import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { agentCrd, agentSchema } from "../../src/Agent/Crd.ts"
import { rules } from "../../src/Agent/Rules.ts"
import { invalidity } from "../../src/Cluster/CustomResources.ts"
import { badChanges, badSpecs } from "../../src/testing/ClusterContract/Agents.ts"
import { AgentSpec, AgentStatus, specJson } from "../../src/Agent.ts"
import { at, type JsonObject } from "../../src/Manifest.ts"
import { spec } from "../World.ts"

const property = (...path: ReadonlyArray<string>) =>
  at(agentSchema, ...path.flatMap((one) => (one === "[]" ? ["items"] : ["properties", one])))

const messagesAt = (...path: ReadonlyArray<string>) =>
  ((at(property(...path), "x-kubernetes-validations") ?? []) as ReadonlyArray<JsonObject>).map(({ message }) => message)

describe("the custom resource definition", () => {
  it("is structural: every node has one type, without references, unions or tuples", () => {
    const walk = (node: unknown): void => {
      assert.include(["object", "array", "string", "integer", "boolean"], at(node, "type"))
      for (const banned of ["$ref", "anyOf", "oneOf", "allOf", "prefixItems", "additionalProperties", "uniqueItems"])
        assert.isUndefined(at(node, banned), banned)
      for (const child of Object.values((at(node, "properties") ?? {}) as Record<string, unknown>)) walk(child)
      if (at(node, "type") === "array") walk(at(node, "items"))
    }
    walk(agentSchema)
  })

  it("has exactly the fields of the schema that the operator decodes", () => {
    const fields = (name: string) => Object.keys(at(property(name), "properties") as object).sort()
    assert.deepStrictEqual(fields("spec"), Object.keys(AgentSpec.fields).sort())
    assert.deepStrictEqual(fields("status"), Object.keys(AgentStatus.fields).sort())
  })

  it("bounds every list and every text of a spec", () => {
    const walk = (node: unknown, path: string): void => {
      if (at(node, "type") === "array") assert.isDefined(at(node, "maxItems"), path)
      if (at(node, "type") === "string") assert.isDefined(at(node, "enum") ?? at(node, "pattern"), path)
      for (const [name, child] of Object.entries((at(node, "properties") ?? {}) as JsonObject))
        walk(child, `${path}.${name}`)
      if (at(node, "items") !== undefined) walk(at(node, "items"), `${path}[]`)
    }
    walk(property("spec"), "spec")
  })

  it("has a bad spec in the cluster's contract for each constraint, so that a real server was seen to refuse it", () => {
    const said = ([, change]: (typeof badSpecs)[number]): string =>
      invalidity(property("spec") as JsonObject, { ...specJson({ ...spec, generation: 5 }), ...change }, undefined) ??
      ""
    const refusals = badSpecs.map(said)
    assert.notInclude(refusals, "")
    const words: Readonly<Record<string, RegExp>> = {
      enum: /unsupported value/,
      pattern: /should match/,
      minimum: /greater than or equal/,
      minItems: /at least/,
      maxItems: /at most/,
    }
    const without: Array<string> = []
    let constraints = 0
    const walk = (node: unknown, path: string): void => {
      for (const [keyword, word] of Object.entries(words)) {
        if (at(node, keyword) === undefined) continue
        constraints++
        const isThis = (one: string) => one.replaceAll(/\[\d+\]/g, "[]").startsWith(`${path}: `) && word.test(one)
        if (!refusals.some(isThis)) without.push(`${path} ${keyword}`)
      }
      for (const [name, child] of Object.entries((at(node, "properties") ?? {}) as JsonObject))
        walk(child, `${path}.${name}`)
      if (at(node, "items") !== undefined) walk(at(node, "items"), `${path}[]`)
    }
    walk(property("spec"), "")
    assert.isAbove(constraints, 12)
    assert.deepStrictEqual(without, [])
    const tested = [...badSpecs, ...badChanges].map(([, , message]) => message)
    for (const { message, path } of rules)
      if (path.length > 0)
        assert.isTrue(
          tested.some((one) => one.test(message)),
          message,
        )
  })

  it("carries each rule at its place", () => {
    for (const { message, path } of rules) assert.include(messagesAt(...path), message)
    assert.deepStrictEqual(messagesAt("spec", "models"), ["each may stand here once"])
    assert.deepStrictEqual(messagesAt("spec", "suspended"), ["each may stand here once"])
  })

  it("shows tier, phase, image, whether it is ready, and its age; the rest on demand", () => {
    const columns = at(agentCrd, "spec", "versions", 0, "additionalPrinterColumns") as ReadonlyArray<JsonObject>
    assert.deepStrictEqual(
      columns.filter(({ priority }) => priority === undefined).map(({ name }) => name),
      ["Tier", "Phase", "Image", "Ready", "Age"],
    )
    assert.deepStrictEqual(at(agentCrd, "spec", "versions", 0, "subresources"), { status: {} })
  })

  it("accepts what the operator writes", () => {
    assert.deepStrictEqual(Schema.decodeUnknownSync(AgentSpec)(specJson(spec)), spec)
  })
})
