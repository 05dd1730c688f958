import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Cluster } from "../src/Cluster.ts"
import { at, type Manifest } from "../src/Manifest.ts"
import { ada, operating, pushJob, reaches, until } from "./World.ts"

const node = (name: string, address: string): Manifest => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  status: { addresses: [{ type: "ExternalIP", address }] },
})

/** Waits until agents may go everywhere but to these ranges of the cluster's own. */
const wallExcepts = (ranges: ReadonlyArray<string>) =>
  until(
    `a wall around ${ranges.join(", ")}`,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const policy = yield* cluster.get({ kind: "NetworkPolicy", namespace: "customer-ada", name: "openclaw" })
      const excepts = at(Option.getOrUndefined(policy), "spec", "egress", 2, "to", 0, "ipBlock", "except")
      const own = ((excepts ?? []) as ReadonlyArray<string>).filter((range) => range.startsWith("203.0.113."))
      return own.join() === ranges.join() ? Option.some(own) : Option.none()
    }),
  )

describe("the wall around an agent", () => {
  it.effect("closes the address of each node that the cluster has, as nodes come and go", () =>
    Effect.gen(function* () {
      const cluster = yield* Cluster
      yield* cluster.apply(node("one", "203.0.113.7"))
      yield* pushJob()
      yield* reaches(ada, "active")
      assert.deepStrictEqual(yield* wallExcepts(["203.0.113.7/32"]), ["203.0.113.7/32"])
      yield* cluster.apply(node("two", "203.0.113.9"))
      yield* wallExcepts(["203.0.113.7/32", "203.0.113.9/32"])
      yield* cluster.remove({ kind: "Node", name: "one" })
      yield* wallExcepts(["203.0.113.9/32"])
    }).pipe(Effect.provide(operating())),
  )
})
