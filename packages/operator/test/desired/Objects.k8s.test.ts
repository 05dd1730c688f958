/** What the builders make, as a real API server keeps it: nothing is lost, and nothing is added that they did not say. */
import { assert, describe, layer } from "@effect/vitest"
import { CustomerId, namespaceOf } from "@berth/domain/Ids"
import { soldTiers } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import { exportJob, exportSecret } from "../../src/desired/ExportJob.ts"
import { networkPolicy } from "../../src/desired/NetworkPolicy.ts"
import { desired } from "../../src/desired/Objects.ts"
import { foreignIn } from "../../src/Foreign.ts"
import { objectPath } from "../../src/Kinds.ts"
import { at, differenceFrom, type Manifest, nameOf, refOf, type Stored } from "../../src/Manifest.ts"
import { embedded, type OperatorSettings } from "../../src/Settings.ts"
import { ControlPlane } from "../cluster/ControlPlane.ts"
import { sharedPlane } from "../cluster/Shared.ts"
import { recipient, secrets, spec } from "../World.ts"

const settings: OperatorSettings = { ...embedded, clusterRanges: ["203.0.113.7/32", "2001:db8::7/128"] }

/** Paths of what stands in `stored` and was not meant. Items of lists that differ in length are told by the list. */
const added = (meant: unknown, stored: unknown, path: string): ReadonlyArray<string> => {
  if (Array.isArray(stored) && Array.isArray(meant))
    return stored.length === meant.length
      ? stored.flatMap((one, index) => added(meant[index], one, `${path}[]`))
      : [path]
  if (Predicate.isObject(stored) && Predicate.isObject(meant))
    return Object.entries(stored).flatMap(([key, one]) => added(at(meant, key), one, `${path}.${key}`))
  return meant === undefined ? [path] : []
}

/** The server's own of every object. */
const servers = new Set(
  ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"].map((name) => `.metadata.${name}`),
)

/** What the server or a controller decides, by kind. Everything else that is added is a default that the builder forgot. */
const decided: Readonly<Record<string, ReadonlyArray<string>>> = {
  Namespace: [".metadata.labels.kubernetes.io/metadata.name", ".spec", ".status"],
  ResourceQuota: [".status"],
  PersistentVolumeClaim: [".metadata.finalizers", ".metadata.annotations", ".spec.volumeName", ".status"],
  Job: [
    ".spec.selector",
    ...["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"].map(
      (label) => `.spec.template.metadata.labels.${label}`,
    ),
    ".spec.template.spec.serviceAccount",
    ".status",
  ],
  Service: [".spec.clusterIP", ".spec.clusterIPs", ".spec.ipFamilies", ".status"],
  Deployment: [
    ".metadata.annotations.deployment.kubernetes.io/revision",
    // An old name that the server writes beside the new one.
    ".spec.template.spec.serviceAccount",
    ".status",
  ],
}

const inventions = (meant: Manifest, stored: Stored): ReadonlyArray<string> =>
  added(meant, stored, "").filter(
    (path) =>
      !servers.has(path) &&
      !(decided[meant.kind] ?? []).some((known) => path === known || path.startsWith(`${known}.`)),
  )

const variants: ReadonlyArray<readonly [name: string, settings: OperatorSettings, change: Partial<typeof spec>]> = [
  ...soldTiers.map((tier) => [tier, settings, { tier }] as const),
  ["suspended", settings, { suspended: ["payment"] }],
  ["restarted", settings, { restartedAt: 1_800_000_000_000 }],
  [
    "placed",
    { ...settings, runtimeClass: "gvisor", priorityClass: "agents", topologySpread: "topology.kubernetes.io/zone" },
    {},
  ],
]

describe("on a real API server", () => {
  layer(sharedPlane, { excludeTestServices: true })((it) => {
    it.effect.each(variants.map((one) => ({ one, toString: () => one[0] })))(
      "the objects of an agent (%s) are kept whole, nothing is added to them, and applying them again changes nothing",
      ({ one: [name, its, change] }) =>
        Effect.gen(function* () {
          const { api } = yield* ControlPlane
          const customerId = CustomerId.make(`objects-${name}-${process.pid}`)
          const objects = desired({ customerId, spec: { ...spec, ...change } }, secrets, its)
          const generations = new Map<string, unknown>()
          for (const { object } of objects) {
            const stored: Stored = yield* api.apply(objectPath(refOf(object)), object)
            assert.isUndefined(differenceFrom(object, stored), object.kind)
            assert.deepStrictEqual(inventions(object, stored), [], object.kind)
            // The operator's own view of it must be the same, else it would repair for ever what nobody broke.
            assert.deepStrictEqual(foreignIn(object, stored), [], object.kind)
            generations.set(nameOf(refOf(object)), stored.metadata.generation)
          }
          for (const { object } of objects) {
            const again: Stored = yield* api.apply(objectPath(refOf(object)), object)
            assert.isUndefined(differenceFrom(object, again), object.kind)
            assert.strictEqual(again.metadata.generation, generations.get(nameOf(refOf(object))), object.kind)
          }
          yield* api.remove(`/api/v1/namespaces/${namespaceOf(customerId)}`)
        }),
    )

    it.effect("the Job of an export and its Secret are kept whole, and nothing is added to them", () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        const customerId = CustomerId.make(`objects-export-${process.pid}`)
        const root = `/api/v1/namespaces/${namespaceOf(customerId)}`
        const run = { customerId, generation: 5, attempt: 1, image: embedded.exporterImage, recipient }
        const destination = Redacted.make({ parts: ["https://store.test/a"] } as const)
        for (const object of [
          ...desired({ customerId, spec }, secrets, settings).map((one) => one.object),
          exportSecret(customerId, destination),
          exportJob(run),
        ]) {
          const stored: Stored = yield* api.apply(objectPath(refOf(object)), object)
          assert.isUndefined(differenceFrom(object, stored), object.kind)
          assert.deepStrictEqual(inventions(object, stored), [], object.kind)
        }
        yield* api.remove(root)
      }),
    )

    it.effect("the NetworkPolicy that is stored is the one that was built, rule by rule", () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        const customerId = CustomerId.make(`objects-wall-${process.pid}`)
        const root = `/api/v1/namespaces/${namespaceOf(customerId)}`
        yield* api.apply(root, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespaceOf(customerId) } })
        const built = networkPolicy(customerId, settings)
        yield* api.apply(objectPath(refOf(built)), built)
        const stored = yield* api.get(objectPath(refOf(built)))
        assert.deepStrictEqual(stored.spec, JSON.parse(JSON.stringify(built.spec)))
        yield* api.remove(root)
      }),
    )
  })
})
