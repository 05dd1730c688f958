import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import type { Stored } from "../src/Manifest.ts"
import { make } from "../src/Observed.ts"

const config = (version: number, more: { data?: string; uid?: string; name?: string; mark?: string } = {}): Stored => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name: more.name ?? "openclaw",
    namespace: "customer-ada",
    uid: more.uid ?? "u1",
    resourceVersion: String(version),
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { "berth.dev/customer": "ada" },
    annotations: { "berth.dev/desired": more.mark ?? "m1" },
  },
  data: { text: more.data ?? "as meant" },
})
const ref = { kind: "ConfigMap", namespace: "customer-ada", name: "openclaw" }

const namespace = (version: number): Stored => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: {
    name: "customer-ada",
    uid: "n1",
    resourceVersion: String(version),
    creationTimestamp: "2026-01-01T00:00:00Z",
    labels: { "berth.dev/customer": "ada" },
  },
})

const pod = (version: number, status: object): Stored => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { ...config(version).metadata, name: "openclaw-1" },
  spec: { containers: [{ name: "openclaw", env: [{ name: "X", value: "a long specification" }] }] },
  status,
})

/** What is told, as it comes. */
const listening = () => {
  const observed = make()
  const news: Array<string> = []
  observed.listen(({ customer, kind }) => news.push(`${customer} ${kind}`))
  return { observed, news }
}

describe("what is observed", () => {
  it("is not taken back by a watch that lags behind an own write", () => {
    const { observed, news } = listening()
    observed.note(config(10, { data: "new" }), "m1")
    observed.changed(config(8, { data: "old" }))
    observed.changed(config(10, { data: "new" }))
    assert.strictEqual(observed.get("ada", ref)?.version, 10)
    assert.isTrue(observed.holds("ada", ref, "m1"))
    assert.deepStrictEqual(news, [], "the own write is no news")
  })

  it("does not come back by a late answer to a write when the watch already knows that it is gone", () => {
    const { observed } = listening()
    observed.changed(config(5))
    observed.gone(config(12))
    observed.note(config(10), "m1")
    assert.isUndefined(observed.get("ada", ref))
    assert.isFalse(observed.holds("ada", ref, "m1"))
  })

  it("outlives the end of what stood there before it under the same name", () => {
    const { observed } = listening()
    observed.changed(config(5))
    observed.note(config(14, { uid: "u2" }))
    observed.gone(config(12))
    assert.strictEqual(observed.get("ada", ref)?.metadata.uid, "u2")
  })

  it("is compared again once its content has changed, and only then", () => {
    const { observed, news } = listening()
    observed.note(config(10), "m1")
    observed.changed(config(11))
    assert.isTrue(observed.holds("ada", ref, "m1"))
    assert.deepStrictEqual(news, [], "a new version of the same content is no news")
    observed.changed(config(12, { data: "changed by hand" }))
    assert.isFalse(observed.holds("ada", ref, "m1"))
    assert.deepStrictEqual(news, ["ada ConfigMap"])
    assert.isFalse(observed.holds("ada", ref, "m2"), "another meaning was never compared")
  })

  it("loses by a list what is not in it, but not what was written since", () => {
    const { observed, news } = listening()
    observed.changed(config(5, { name: "old" }))
    observed.note(config(30, { name: "fresh" }))
    observed.replace("ConfigMap", [config(20)], "25")
    assert.deepStrictEqual(
      observed
        .list("ada", "ConfigMap")
        .map(({ metadata }) => metadata.name)
        .sort(),
      ["fresh", "openclaw"],
    )
    assert.deepStrictEqual(news, ["ada ConfigMap", "ada ConfigMap", "ada ConfigMap"])
  })

  it("goes with its namespace, even before its own watch says so", () => {
    const { observed } = listening()
    observed.changed(namespace(3))
    observed.changed(config(5))
    observed.note(config(40, { name: "of-the-next-one" }))
    observed.gone(namespace(30))
    assert.isUndefined(observed.get("ada", ref))
    assert.strictEqual(observed.list("ada", "ConfigMap").length, 1)
  })

  it("tells what a pod does, and remembers little of it", () => {
    const { observed, news } = listening()
    observed.changed(pod(5, { phase: "Pending" }))
    observed.changed(pod(6, { phase: "Pending", qosClass: "Burstable" }))
    assert.deepStrictEqual(news, ["ada Pod"])
    observed.changed(
      pod(7, {
        phase: "Running",
        containerStatuses: [{ name: "openclaw", restartCount: 1, state: { waiting: { reason: "CrashLoopBackOff" } } }],
      }),
    )
    assert.deepStrictEqual(news, ["ada Pod", "ada Pod"])
    assert.notInclude(JSON.stringify(observed.list("ada", "Pod")), "a long specification")
  })

  it("takes what Kubernetes' own controllers note on an object for no change of it, and anything else for one", () => {
    const claim = (version: number, annotations: Record<string, string>, spec: object): Stored => ({
      ...config(version),
      kind: "PersistentVolumeClaim",
      metadata: { ...config(version).metadata, annotations },
      spec: { resources: { requests: { storage: "5Gi" } }, ...spec },
    })
    const claimRef = { ...ref, kind: "PersistentVolumeClaim" }
    const { observed } = listening()
    observed.note(claim(5, {}, {}), "m1")
    observed.changed(claim(6, { "pv.kubernetes.io/bind-completed": "yes" }, { volumeName: "pv-1" }))
    assert.isTrue(observed.holds("ada", claimRef, "m1"))
    observed.changed(claim(7, {}, { resources: { requests: { storage: "1Gi" } } }))
    assert.isFalse(observed.holds("ada", claimRef, "m1"))
  })

  it("counts a volume for the customer whose claim it is or was bound to", () => {
    const { observed } = listening()
    const volume = (name: string, claimNamespace: string): Stored => ({
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name, uid: "v1", resourceVersion: "5", creationTimestamp: "2026-01-01T00:00:00Z" },
      spec: { claimRef: { namespace: claimNamespace, name: "openclaw-data", uid: "c" }, capacity: { storage: "5Gi" } },
      status: { phase: "Released" },
    })
    observed.changed(volume("hers", "customer-ada"))
    observed.changed(volume("others", "platform"))
    assert.strictEqual(observed.list("ada", "PersistentVolume").length, 1)
    assert.deepStrictEqual(observed.customers("PersistentVolume"), ["ada"])
  })

  const Steps = Schema.Array(
    Schema.Union([
      Schema.Struct({ do: Schema.Literal("write"), name: Schema.Literals(["a", "b"]) }),
      Schema.Struct({ do: Schema.Literal("delete"), name: Schema.Literals(["a", "b"]) }),
      Schema.Struct({ do: Schema.Literal("hear") }),
      Schema.Struct({ do: Schema.Literal("note") }),
      Schema.Struct({ do: Schema.Literal("list") }),
    ]),
  )
  it.prop("ends as the cluster stands, however own writes, watch and lists overtake each other", [Steps], ([all]) => {
    const observed = make()
    const standing = new Map<string, Stored>()
    const toHear: Array<{ readonly type: "changed" | "gone"; readonly object: Stored }> = []
    const toNote: Array<Stored> = []
    const compared: Array<string> = []
    const note = (object: Stored) => {
      compared.push(object.metadata.resourceVersion)
      observed.note(object, "m1")
    }
    let version = 0
    let births = 0
    const hear = () => {
      const event = toHear.shift()
      if (event !== undefined) observed[event.type](event.object)
    }
    for (const step of all) {
      if (step.do === "write") {
        const uid = standing.get(step.name)?.metadata.uid ?? `u${++births}`
        const object = config(++version, { name: step.name, data: String(version), uid })
        standing.set(step.name, object)
        toHear.push({ type: "changed", object })
        toNote.push(object)
      } else if (step.do === "delete") {
        const object = standing.get(step.name)
        if (object === undefined || !standing.delete(step.name)) continue
        toHear.push({ type: "gone", object: config(++version, { name: step.name, uid: object.metadata.uid }) })
      } else if (step.do === "hear") hear()
      else if (step.do === "note") {
        const object = toNote.shift()
        if (object !== undefined) note(object)
      } else {
        observed.replace("ConfigMap", [...standing.values()], String(version))
        toHear.length = 0
      }
    }
    for (const object of toNote) note(object)
    while (toHear.length > 0) hear()
    const seen = observed.list("ada", "ConfigMap").map((one) => `${one.metadata.name} ${one.version}`)
    assert.deepStrictEqual(
      seen.sort(),
      [...standing.values()].map(({ metadata }) => `${metadata.name} ${metadata.resourceVersion}`).sort(),
    )
    for (const { metadata } of standing.values())
      if (observed.holds("ada", { ...ref, name: metadata.name }, "m1"))
        assert.include(compared, metadata.resourceVersion, "only what was compared counts as such")
  })
})
