import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Cluster } from "../src/Cluster.ts"
import { desired } from "../src/desired/Objects.ts"
import { correction, foreignIn } from "../src/Foreign.ts"
import { at, type JsonObject, type Manifest } from "../src/Manifest.ts"
import { embedded } from "../src/Settings.ts"
import { ada, operating, pushJob, reaches, secrets, spec, until } from "./World.ts"

const objects = desired({ customerId: ada, spec }, secrets, embedded).map(({ object }) => object)
const built = (kind: string): Manifest => {
  const found = objects.find((object) => object.kind === kind)
  assert.isDefined(found, kind)
  return found
}

/** The object with a field set at a path. */
const set = (object: unknown, [head = "", ...rest]: ReadonlyArray<string | number>, value: unknown): Manifest => {
  const copy = (Array.isArray(object) ? [...object] : { ...(object as object) }) as Record<string | number, unknown>
  copy[head] = rest.length === 0 ? value : set(copy[head] ?? {}, rest, value)
  return copy as unknown as Manifest
}

const additions: ReadonlyArray<readonly [kind: string, path: ReadonlyArray<string | number>, value: unknown]> = [
  ["Deployment", ["spec", "paused"], true],
  ["Deployment", ["spec", "template", "spec", "hostNetwork"], true],
  ["Deployment", ["spec", "template", "spec", "nodeSelector"], { disk: "fast" }],
  ["Deployment", ["spec", "template", "spec", "containers", 0, "securityContext", "procMount"], "Unmasked"],
  ["Service", ["spec", "selector", "app"], "nothing"],
  ["Service", ["spec", "externalIPs"], ["203.0.113.7"]],
  ["ResourceQuota", ["spec", "hard", "secrets"], "0"],
  ["NetworkPolicy", ["spec", "podSelector", "matchLabels"], { app: "nothing" }],
  ["ServiceAccount", ["imagePullSecrets"], [{ name: "theirs" }]],
  ["Secret", ["data", "MORE"], "aGk="],
  ["ConfigMap", ["binaryData"], { more: "aGk=" }],
]

describe("what was never meant", () => {
  it("is nothing in an object as it is built, however it is labelled and whatever the server adds", () => {
    for (const object of objects) assert.deepStrictEqual(foreignIn(object, object), [], object.kind)
    const labelled = set(built("Deployment"), ["metadata", "labels", "team"], "support")
    const restarted = set(labelled, ["spec", "template", "metadata", "annotations", "restarted"], "now")
    const defaulted = set(restarted, ["spec", "template", "spec", "serviceAccount"], "openclaw")
    assert.deepStrictEqual(foreignIn(built("Deployment"), set(defaulted, ["status"], { replicas: 1 })), [])
    assert.deepStrictEqual(foreignIn(built("Service"), set(built("Service"), ["spec", "clusterIP"], "10.0.0.1")), [])
  })

  it.each(additions)("is seen in a %s at %j", (kind, path, value) => {
    assert.lengthOf(foreignIn(built(kind), set(built(kind), path, value)), 1)
  })

  it("is taken out by a patch that keeps all that is meant", () => {
    const meant = built("Deployment")
    const stored = set(meant, ["spec", "template", "spec", "hostNetwork"], true)
    const patch = correction(meant, stored)
    assert.isNull(at(patch, "spec", "template", "spec", "hostNetwork"))
    assert.deepStrictEqual(set(patch, ["spec", "template", "spec", "hostNetwork"], undefined).spec, {
      ...(meant.spec as JsonObject),
      template: set(at(meant, "spec", "template"), ["spec", "hostNetwork"], undefined),
    })
  })

  it.effect("is taken out by the operator, whoever put it in", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* pushJob()
      yield* reaches(ada, "active")
      const ref = { kind: "Deployment", namespace: "customer-ada", name: "openclaw" }
      // By a plain write of the same manager, and by another's apply, which keeps its own fields.
      yield* cluster.merge(ref, { spec: { paused: true } })
      const paused = Effect.map(
        cluster.get(ref),
        Option.filter((one) => at(one, "spec", "paused") === undefined),
      )
      yield* until("the pause is undone", paused)
      yield* cluster.apply(
        {
          apiVersion: "apps/v1",
          kind: "Deployment",
          metadata: { name: "openclaw", namespace: "customer-ada" },
          spec: { template: { spec: { hostNetwork: true } } },
        },
        { manager: "kubectl" },
      )
      yield* until(
        "the host's network is left",
        Effect.map(
          cluster.get(ref),
          Option.filter((one) => at(one, "spec", "template", "spec", "hostNetwork") === undefined),
        ),
      )
    }).pipe(Effect.provide(operating())),
  )
})
