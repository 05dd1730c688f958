/** The definition of Agent on a real API server: it installs as shipped, explains itself, and prints its columns. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { CustomerId } from "@berth/domain/Ids"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { agentCrd } from "../../src/Agent/Crd.ts"
import { agentManifest, statusJson } from "../../src/Agent.ts"
import { objectPath } from "../../src/Kinds.ts"
import { at, differenceFrom, refOf, type Stored } from "../../src/Manifest.ts"
import { initial } from "../../src/Status.ts"
import { ControlPlane } from "../cluster/ControlPlane.ts"
import { sharedPlane } from "../cluster/Shared.ts"
import { spec } from "../World.ts"

const shipped = readFileSync(join(import.meta.dirname, "../../../../kubenix/crds/agents.json"), "utf8")
const path = objectPath(refOf(agentCrd))
const agentPath = (name: string) => objectPath({ kind: "Agent", name })

/** Columns of a table that kubectl printed, by their heads. */
const table = (printed: string): Record<string, string> => {
  const [head = "", row = ""] = printed.trim().split("\n")
  const starts = [...head.matchAll(/\S+(?: \S+)*/g)].map((match) => ({ name: match[0], at: match.index }))
  return Object.fromEntries(
    starts.map(({ name, at: from }, index) => [name, row.slice(from, starts[index + 1]?.at ?? row.length).trim()]),
  )
}

const installed = Effect.gen(function* () {
  const { api, kubectl } = yield* ControlPlane
  yield* kubectl(["apply", "--server-side", "--force-conflicts", "--filename=-"], shipped)
  yield* api.until(path, (crd) =>
    (crd?.status?.conditions ?? []).some((one: any) => one.type === "Established" && one.status === "True"),
  )
})

describe("the definition of Agent on a real API server", () => {
  layer(sharedPlane, { excludeTestServices: true })((it) => {
    it.effect("is accepted as shipped, with nothing to complain of, and kept whole", () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        yield* installed
        const stored: Stored = yield* api.get(path)
        assert.isUndefined(differenceFrom(agentCrd, stored))
        const complaints = ((at(stored, "status", "conditions") ?? []) as ReadonlyArray<unknown>).filter(
          (one) => at(one, "type") === "NonStructuralSchema" || at(one, "status") !== "True",
        )
        assert.deepStrictEqual(complaints, [])
        const again: Stored = yield* api.apply(path, agentCrd)
        assert.strictEqual(again.metadata.generation, stored.metadata.generation)
      }),
    )

    it.effect("explains every field in the words of the reference", () =>
      Effect.gen(function* () {
        const { kubectl } = yield* ControlPlane
        yield* installed
        // The server publishes a new kind's words some moments after it serves the kind.
        const explain = (field: string) =>
          kubectl(["explain", field]).pipe(
            Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 100 }),
            Effect.map((words) => words.replaceAll(/\s+/g, " ")),
          )
        assert.include(yield* explain("agent.spec.suspended"), "It runs only while there is none")
        assert.include(yield* explain("ag.status.phase"), "Where the agent is in its life")
      }),
    )

    it.effect(
      "prints tier, phase, image, readiness and age, and on demand why it is not ready and its generation",
      () =>
        Effect.gen(function* () {
          const { api, kubectl } = yield* ControlPlane
          yield* installed
          const id = CustomerId.make(`columns-${process.pid}`)
          yield* api.apply(agentPath(id), agentManifest(id, { ...spec, generation: 7 }, { finalized: false }))
          const short = table(yield* kubectl(["get", "agents", id]))
          const { AGE: _, ...rest } = short
          assert.deepStrictEqual(rest, { NAME: id, TIER: "pro", PHASE: "", IMAGE: "stable", READY: "" })
          const status = statusJson({
            ...initial,
            phase: "failed",
            conditions: [
              {
                type: "Ready",
                status: "False",
                reason: "OutOfMemory",
                message: "It ran out of memory.",
                lastTransitionTime: "2026-11-30T12:00:00Z",
              },
            ],
          })
          yield* api.merge(`${agentPath(id)}/status`, { status })
          const wide = table(yield* kubectl(["get", "ag", id, "--output=wide"]))
          assert.deepStrictEqual(
            [wide.PHASE, wide.READY, wide.WHY, wide.GENERATION],
            ["failed", "False", "OutOfMemory", "7"],
          )
          yield* api.remove(agentPath(id))
        }),
    )
  })
})
