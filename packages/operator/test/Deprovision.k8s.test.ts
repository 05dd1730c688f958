/**
 * The end of an agent on a real API server, by the operator's own rights, with volumes that are folders: nothing goes before
 * the export or its waiver, and then nothing of the customer's is left, of no kind that the server knows, nor on the disk.
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CustomerId, namespaceOf } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Operator from "../src/Operator.ts"
import { ControlPlane } from "./cluster/ControlPlane.ts"
import { remainsOf, volumeFolderOf } from "./platform/Remains.ts"
import { agentPath, exporterEnds, exporterRuns, realWorld, settles, told } from "./RealCluster.ts"
import { pushJob, written } from "./World.ts"

const root = (customerId: CustomerId) => `/api/v1/namespaces/${namespaceOf(customerId)}`

const folderOf = (customerId: CustomerId) =>
  Effect.map(ControlPlane, ({ folder }) => volumeFolderOf(folder, namespaceOf(customerId)))

/** An agent that is active and has something on its volume. */
const living = Effect.fn(function* (name: string) {
  const customerId = CustomerId.make(`leaving-${name}`)
  yield* pushJob({ customerId })
  yield* settles(customerId, "active")
  const folder = yield* folderOf(customerId)
  if (folder === undefined) return assert.fail("its volume is no folder")
  mkdirSync(join(folder, "state/workspace"), { recursive: true })
  writeFileSync(join(folder, "state/workspace/MEMORY.md"), "the cat is called Tom")
  return { customerId, folder }
})

const deprovision = (customerId: CustomerId, generation = 2, more: object = {}) =>
  pushJob({
    customerId,
    generation,
    reason: "deprovision",
    desired: { deletion: { confirmedGeneration: generation, ...more } },
  })

const pods = (customerId: CustomerId) =>
  ControlPlane.use(({ api }) => api.get(`${root(customerId)}/pods?labelSelector=app.kubernetes.io/name=openclaw`))

/** All that the customer would lose is there, and the agent itself has stopped. */
const dataStands = Effect.fn(function* (customerId: CustomerId, folder: string) {
  const { api } = yield* ControlPlane
  assert.strictEqual((yield* api.get(root(customerId))).status.phase, "Active")
  const claim = yield* api.get(`${root(customerId)}/persistentvolumeclaims/openclaw-data`)
  const volume = yield* api.get(`/api/v1/persistentvolumes/${claim.spec.volumeName}`)
  assert.deepStrictEqual(
    [claim.metadata.deletionTimestamp, volume.spec.persistentVolumeReclaimPolicy, volume.status.phase],
    [undefined, "Retain", "Bound"],
  )
  assert.deepStrictEqual(readdirSync(join(folder, "state/workspace")), ["MEMORY.md"])
})

const allGone = Effect.fn(function* (customerId: CustomerId) {
  const { api } = yield* ControlPlane
  yield* api.until(agentPath(customerId), (agent) => agent === undefined, 90)
  assert.deepStrictEqual(yield* remainsOf(yield* ControlPlane, customerId), [])
  assert.isUndefined(yield* folderOf(customerId), "its volume's folder")
})

const tags = Effect.fn(function* (customerId: CustomerId, from: number) {
  const events = yield* told(customerId, new Map())
  return events.flatMap((one) => (one._tag === "step" || one.generation < from ? [] : [one._tag]))
})

layer(Operator.layer.pipe(Layer.provideMerge(realWorld({ jobs: "run" }))), {
  excludeTestServices: true,
  timeout: 120_000,
})("an agent that is deleted, on a real apiserver", (it) => {
  it.effect("stops, is exported, and then all of it goes, the data on the disk too", () =>
    Effect.gen(function* () {
      const { customerId, folder } = yield* living("ada")
      yield* deprovision(customerId)
      yield* exporterRuns(customerId, 2)
      assert.deepStrictEqual((yield* pods(customerId)).items, [], "the gateway has let go of its databases")
      yield* dataStands(customerId, folder)
      const pod = yield* exporterEnds(customerId, 2, { _tag: "Written", ...written })
      yield* allGone(customerId)
      assert.deepStrictEqual(yield* tags(customerId, 2), ["deprovisioning", "exported", "deleted"])
      const secrets = pod.spec.volumes.filter(
        (volume: any) => volume.secret !== undefined || volume.projected !== undefined,
      )
      assert.deepStrictEqual(secrets, [], "no credential of the cluster's or the agent's")
    }),
  )

  it.effect("keeps all of it while the export fails, until it is given up", () =>
    Effect.gen(function* () {
      const { customerId, folder } = yield* living("bob")
      yield* deprovision(customerId)
      yield* exporterEnds(customerId, 2, { _tag: "Failed", message: "the store answers 503" })
      const { api } = yield* ControlPlane
      yield* api.until(agentPath(customerId), (agent) =>
        agent?.status?.conditions?.some(({ reason }: { reason: string }) => reason === "ExportFailed"),
      )
      yield* Effect.sleep("10 seconds")
      yield* dataStands(customerId, folder)
      yield* deprovision(customerId, 3, { exportWaived: true })
      yield* allGone(customerId)
      assert.deepStrictEqual(yield* tags(customerId, 2), ["deprovisioning", "troubled", "deprovisioning", "deleted"])
    }),
  )

  it.effect("that is called off before it is deleted lives on with its data", () =>
    Effect.gen(function* () {
      const { customerId, folder } = yield* living("cleo")
      yield* deprovision(customerId)
      const { api } = yield* ControlPlane
      yield* exporterRuns(customerId, 2)
      yield* pushJob({ customerId, generation: 3, reason: "resume" })
      yield* settles(customerId, "active", 3)
      yield* dataStands(customerId, folder)
      const exporting = `${root(customerId)}/pods?labelSelector=berth.dev/export-generation`
      yield* api.until(exporting, (list) => list?.items.length === 0)
      assert.lengthOf((yield* pods(customerId)).items, 1)
    }),
  )
})
