/** Agents: what their definition forbids, and their status beside their spec. */
import { assert } from "@effect/vitest"
import { CustomerId } from "@berth/domain/Ids"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Cluster } from "../../Cluster.ts"
import { agentCrd } from "../../Agent/Crd.ts"
import { agentManifest, type AgentSpec, type AgentStatus, statusJson } from "../../Agent.ts"
import { initial } from "../../Status.ts"
import { at, type Manifest, refOf } from "../../Manifest.ts"
import type { Stage } from "./Stage.ts"

/** Broken in one way each, with words of the refusal. A test holds that no constraint of the definition lacks one. */
export const badSpecs: ReadonlyArray<readonly [what: string, change: object, message: RegExp]> = [
  ["a tier that is not sold", { tier: "internal" }, /tier/],
  ["no model", { models: [] }, /models/],
  ["a model that is not offered", { models: ["gpt"] }, /models/],
  ["more models than 16", { models: Array.from({ length: 17 }, () => "kimi-k2.6") }, /models/],
  ["a model twice", { models: ["kimi-k2.6", "kimi-k2.6"] }, /each may stand here once/],
  ["a channel that is not known", { imageChannel: "latest" }, /imageChannel/],
  ["a bot with an at sign", { telegram: { botUsername: "@bot", allowedUserIds: ["1"] } }, /botUsername/],
  ["a user id that is a name", { telegram: { botUsername: "bot", allowedUserIds: ["alice"] } }, /allowedUserIds/],
  [
    "more users than 100",
    { telegram: { botUsername: "bot", allowedUserIds: Array.from({ length: 101 }, (_, index) => `${index + 1}`) } },
    /allowedUserIds/,
  ],
  ["a reason for suspension that is not one", { suspended: ["whim"] }, /suspended/],
  ["more reasons than 16", { suspended: Array.from({ length: 17 }, () => "payment") }, /suspended/],
  ["a reason for suspension twice", { suspended: ["payment", "payment"] }, /each may stand here once/],
  ["a secret without a version", { secrets: { proxyToken: 1, botToken: 1 } }, /gatewayToken/],
  ...(["proxyToken", "botToken", "gatewayToken"] as const).map(
    (purpose) =>
      [
        `a ${purpose} of version zero`,
        { secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1, [purpose]: 0 } },
        new RegExp(purpose),
      ] as const,
  ),
  ["a generation of zero", { generation: 0 }, /generation/],
  ["a generation that is no integer", { generation: 1.5 }, /generation/],
  ["a deletion confirmed by no generation", { deletion: { confirmedGeneration: 0 } }, /confirmedGeneration/],
  [
    "a deletion confirmed by a generation to come",
    { deletion: { confirmedGeneration: 6 } },
    /this generation or an earlier/,
  ],
]

/** What may not follow on generation 5 with second versions. */
export const badChanges: ReadonlyArray<readonly [what: string, change: object, message: RegExp]> = [
  ["an older generation", { generation: 4 }, /never goes back to an older generation/],
  ...(["proxyToken", "botToken", "gatewayToken"] as const).map(
    (purpose) =>
      [
        `an older ${purpose}`,
        { generation: 6, secrets: { proxyToken: 2, botToken: 2, gatewayToken: 2, [purpose]: 1 } },
        new RegExp(`${purpose} never goes back`),
      ] as const,
  ),
]

const spec: AgentSpec = {
  generation: 1,
  tier: "pro",
  models: ["kimi-k2.6"],
  imageChannel: "stable",
  telegram: { botUsername: "bot", allowedUserIds: ["1"] },
  suspended: [],
  secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1 },
}

const second = { proxyToken: 2, botToken: 2, gatewayToken: 2 }

/** As the operator would write it, but with these fields changed, whether or not an Agent may have them. */
const agentOf = (id: string, change: object): Manifest => {
  const manifest = agentManifest(id as CustomerId, { ...spec, generation: 5, secrets: second }, { finalized: false })
  return { ...manifest, spec: { ...(manifest.spec as object), ...change } }
}

const statusOf = (change: Partial<AgentStatus>) => statusJson({ ...initial, phase: "active", seq: 1, ...change })

export const agents = ({ test, eventually, gone, refuses }: Stage): void => {
  /** A test of an Agent of generation 5, which goes with the test. */
  const agentTest = <E>(title: string, body: (cluster: Cluster["Service"], id: CustomerId) => Effect.Effect<void, E>) =>
    test(title, (cluster, namespace) =>
      Effect.gen(function* () {
        yield* cluster.apply(agentCrd)
        // The kind is served a moment after its definition is stored.
        yield* eventually(
          cluster.apply(agentOf(namespace, {})).pipe(Effect.catchTag("NotFound", () => Effect.succeed(undefined))),
        )
        yield* body(cluster, CustomerId.make(namespace)).pipe(
          Effect.ensuring(cluster.remove({ kind: "Agent", name: namespace }).pipe(Effect.ignore)),
        )
      }),
    )

  agentTest("refuses an Agent that its definition forbids, and says why", (cluster, id) =>
    Effect.gen(function* () {
      for (const [what, change, message] of badSpecs) yield* refuses(cluster, agentOf(`${id}-x`, change), what, message)
      for (const [what, change, message] of badChanges) yield* refuses(cluster, agentOf(id, change), what, message)
      for (const name of ["contract.dotted", "c".repeat(41)])
        yield* refuses(cluster, agentOf(name, {}), `the name ${name}`, /named after its customer/)
    }),
  )

  agentTest(
    "lets an Agent go on to a newer generation with newer secrets, and stand again as it stood",
    (cluster, id) =>
      Effect.gen(function* () {
        const before = yield* cluster.apply(agentOf(id, {}))
        const newer = { generation: 6, secrets: { ...second, botToken: 3 }, deletion: { confirmedGeneration: 6 } }
        const after = yield* cluster.apply(agentOf(id, newer))
        assert.deepStrictEqual(at(after, "spec", "secrets"), newer.secrets)
        const withdrawn = yield* cluster.apply(agentOf(id, { generation: 7, secrets: newer.secrets }))
        assert.isUndefined(at(withdrawn, "spec", "deletion"))
        assert.strictEqual(withdrawn.metadata.uid, before.metadata.uid)
      }),
  )

  agentTest("replaces a whole status, refuses one of no known phase, and makes none where no Agent is", (cluster, id) =>
    Effect.gen(function* () {
      const step = { step: "Namespace", at: "2026-11-01T00:00:00Z" } as const
      yield* cluster.patchStatus(id, statusOf({ steps: [step], seq: 7 }))
      const replaced = yield* cluster.patchStatus(id, statusOf({ steps: [] }))
      assert.deepStrictEqual([at(replaced, "status", "steps"), at(replaced, "status", "seq")], [[], 1])
      const wrong = yield* Effect.result(cluster.patchStatus(id, { ...statusOf({}), phase: "asleep" }))
      assert.strictEqual(Result.isFailure(wrong) ? wrong.failure._tag : "patched", "Refused")
      const nobody = yield* Effect.result(cluster.patchStatus(`${id}-x`, statusOf({})))
      assert.strictEqual(Result.isFailure(nobody) ? nobody.failure._tag : "patched", "NotFound")
    }),
  )

  agentTest("keeps an Agent's status and spec apart", (cluster, id) =>
    Effect.gen(function* () {
      const written = yield* cluster.apply(agentManifest(id, { ...spec, generation: 6, secrets: second }))
      const patched = yield* cluster.patchStatus(id, statusOf({ observedGeneration: 6 }))
      assert.deepStrictEqual(patched.spec, written.spec)
      assert.strictEqual(patched.metadata.generation, written.metadata.generation)
      const again = yield* cluster.apply(agentManifest(id, { ...spec, generation: 7, secrets: second }))
      assert.deepStrictEqual(again.status, patched.status)
      const ref = { kind: "Agent", name: id }
      yield* cluster.remove(ref)
      assert.isTrue(Option.isSome(yield* cluster.get(ref)))
      yield* cluster.apply(agentManifest(id, { ...spec, generation: 7, secrets: second }, { finalized: false }))
      yield* gone(cluster, ref)
    }),
  )

  // The last of Agents, since it takes the kind away from all of them.
  agentTest(
    "loses a kind with its definition, with all of its objects but those that a finalizer holds",
    (cluster, id) =>
      Effect.gen(function* () {
        yield* cluster.apply(agentManifest(id, { ...spec, generation: 6, secrets: second }))
        const held = { kind: "Agent", name: id }
        yield* cluster.remove(refOf(agentCrd))
        yield* eventually(
          Effect.map(cluster.get(held), (found) =>
            Option.isSome(found) && found.value.metadata.deletionTimestamp !== undefined ? true : undefined,
          ),
        )
        const late = yield* Effect.result(cluster.apply(agentOf(`${id}-x`, {})))
        assert.isTrue(
          Result.isFailure(late) && late.failure._tag === "Refused" && late.failure.reason === "Terminating",
        )
        yield* cluster.apply(agentManifest(id, { ...spec, generation: 6, secrets: second }, { finalized: false }))
        yield* gone(cluster, refOf(agentCrd))
        assert.isTrue(Option.isNone(yield* cluster.get(held)))
        const made = yield* Effect.result(cluster.apply(agentOf(id, {})))
        assert.strictEqual(Result.isFailure(made) ? made.failure._tag : "stored", "NotFound")
        const listed = yield* Effect.result(cluster.list("Agent"))
        assert.strictEqual(Result.isFailure(listed) ? listed.failure._tag : "listed", "ClusterUnavailable")
      }),
  )
}
