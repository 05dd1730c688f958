/**
 * How full agents' volumes are, as their nodes measure them. A node is asked for all of its volumes at once, and not more
 * often than at every second round of questions to agents, whoever wants to know. Volumes of a type that can't be measured are simply not known.
 */
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import * as Cache from "effect/Cache"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Cluster, type VolumeUsage } from "./Cluster.ts"
import { quantity } from "./Cluster/Quantity.ts"
import { claimName } from "./desired/Names.ts"
import { at } from "./Manifest.ts"
import { Observing } from "./Observing.ts"

/** Bytes. */
export interface Fill {
  readonly used: number
  readonly capacity: number
}

/** HEALTH_INTERVAL: how often an agent that is well is asked how it does (1 minute). */
export const healthInterval = Config.Duration("HEALTH_INTERVAL").pipe(Config.withDefault(Duration.minutes(1)))

const mostNodes = 1_000

/**
 * A volume that shares its node's file system is measured as that, which is larger than the claim by far and says nothing of
 * the agent. `claimed` in bytes; NaN if it is not known.
 */
export const isItsOwn = ({ capacity }: Fill, claimed: number): boolean =>
  Number.isNaN(claimed) || capacity <= claimed * 1.5

export class Volumes extends Context.Service<
  Volumes,
  {
    /** Of the agent whose pod is on the node at this address; undefined if it is not known. */
    fill(customerId: CustomerId, hostIp: string): Effect.Effect<Fill | undefined>
  }
>()("@berth/operator/Volumes") {
  static readonly layer: Layer.Layer<Volumes, Config.ConfigError, Cluster | Observing> = Layer.effect(
    Volumes,
    Effect.gen(function* () {
      const cluster = yield* Cluster
      const { observed } = yield* Observing
      const nodes = yield* Cache.make({
        capacity: mostNodes,
        timeToLive: Duration.times(yield* healthInterval, 2),
        lookup: (hostIp: string) =>
          cluster
            .volumes(hostIp)
            .pipe(
              Effect.catch(({ message }) =>
                Effect.as(
                  Effect.logWarning(`node ${hostIp} does not say how full its volumes are`, message),
                  [] as ReadonlyArray<VolumeUsage>,
                ),
              ),
            ),
      })
      const claimed = (customerId: CustomerId): number => {
        const ref = { kind: "PersistentVolumeClaim", namespace: namespaceOf(customerId), name: claimName }
        const claim = observed.get(customerId, ref)
        return quantity(
          at(claim, "status", "capacity", "storage") ?? at(claim, "spec", "resources", "requests", "storage"),
        )
      }
      return Volumes.of({
        fill: Effect.fn("Volumes.fill")(function* (customerId, hostIp) {
          const usages = yield* Cache.get(nodes, hostIp)
          const own = usages.find(
            ({ namespace, claim }) => claim === claimName && namespace === namespaceOf(customerId),
          )
          return own === undefined || !isItsOwn(own, claimed(customerId))
            ? undefined
            : { used: own.used, capacity: own.capacity }
        }),
      })
    }),
  )
}
