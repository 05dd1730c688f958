/**
 * The cluster's own public addresses, by an informer over its nodes: agents must not reach them. Before nodes were first
 * listed none are known, so whoever builds walls waits for that.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import { Cluster } from "./Cluster.ts"
import { openRangesOf } from "./desired/ClusterRanges.ts"
import { inform } from "./Inform.ts"
import type { Stored } from "./Manifest.ts"

export class Nodes extends Context.Service<
  Nodes,
  {
    /** Ranges (CIDR) as they are known now; the same array while they are the same. */
    readonly ranges: () => ReadonlyArray<string>
    /** Waits until nodes were listed once. */
    readonly synced: Effect.Effect<void>
    /** Calls whenever the ranges change, until the result is called. */
    readonly listen: (listener: () => void) => () => void
  }
>()("@berth/operator/Nodes") {
  static readonly layer: Layer.Layer<Nodes, never, Cluster> = Layer.effect(
    Nodes,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const listed = yield* Latch.make()
      const nodes = new Map<string, Stored>()
      const listeners = new Set<() => void>()
      let ranges: ReadonlyArray<string> = []

      const settle = () => {
        const now = openRangesOf(nodes.values())
        if (now.join() === ranges.join()) return
        ranges = now
        for (const listener of listeners) listener()
      }
      const put = (node: Stored) => {
        const { name } = node.metadata
        // Only what ranges are made of, out of objects that name every image on the node.
        const addresses = (node.status as { readonly addresses?: unknown } | undefined)?.addresses
        nodes.set(name, { ...node, status: { addresses } })
      }
      yield* Effect.forkScoped(
        inform(
          cluster,
          "Node",
          {},
          {
            replace: (_, items) => {
              nodes.clear()
              items.forEach(put)
              settle()
            },
            changed: (node) => {
              put(node)
              settle()
            },
            gone: (node) => {
              nodes.delete(node.metadata.name)
              settle()
            },
          },
          { sign: () => {}, listed: () => Effect.asVoid(listed.open) },
        ),
      )
      return Nodes.of({
        ranges: () => ranges,
        synced: listed.await,
        listen: (listener) => {
          listeners.add(listener)
          return () => void listeners.delete(listener)
        },
      })
    }),
  )
}
