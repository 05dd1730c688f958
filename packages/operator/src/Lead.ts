/**
 * Who of several operators works. Invariant: `work` runs only while this process leads, and is interrupted before
 * another can take over. One process alone always leads; several share a Lease (renewed every 2 s, void after 10 s).
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"
import { Cluster } from "./Cluster.ts"
import { at, type JsonObject, type Ref as ObjectRef } from "./Manifest.ts"

/** After this long without a sign from its holder a lease is void. */
export const leaseMillis = 10_000
const renewEvery = 2_000
/** How often one that stands by looks whether the lease is free: an orderly end is followed within a second or so. */
const lookEvery = 1_000
/** A leader that could not renew for this long stops by itself, well before another may begin. */
const giveUpAfter = 7_000

/** What is known of the lease: its holder, and since when (own clock) it has been seen unchanged. */
export interface LeaseSight {
  readonly holder: string | undefined
  readonly unchangedSince: number
}

/** Whether to take or renew the lease now. Only the own clock counts: those of other machines may differ. Pure. */
export const mayTake = (sight: LeaseSight, me: string, now: number): boolean =>
  sight.holder === undefined || sight.holder === me || now - sight.unchangedSince >= leaseMillis

export class Lead extends Context.Service<
  Lead,
  {
    /** Runs `work` whenever this process leads, for ever. */
    during<R>(work: Effect.Effect<never, never, R>): Effect.Effect<never, never, R>
    readonly leading: Effect.Effect<boolean>
  }
>()("@berth/operator/Lead") {
  /** For a process that is alone. */
  static readonly layerMemory: Layer.Layer<Lead> = Layer.succeed(Lead)({
    during: (work) => work,
    leading: Effect.succeed(true),
  })

  /** By a Lease in the cluster; given back when the layer closes, so that a successor need not wait. */
  static readonly layerLease = (namespace: string): Layer.Layer<Lead, never, Cluster> =>
    Layer.effect(
      Lead,
      Effect.gen(function* () {
        const cluster = yield* Cluster
        const me = `operator-${(yield* Random.nextInt).toString(36)}${(yield* Random.nextInt).toString(36)}`
        const ref: ObjectRef = { kind: "Lease", namespace, name: "berth-operator" }
        const leading = yield* Ref.make(false)
        let seen: { readonly version: string; readonly at: number } | undefined

        const hold = (version: string, holder: string | null, now: number): JsonObject => ({
          metadata: { resourceVersion: version },
          spec: {
            holderIdentity: holder,
            leaseDurationSeconds: leaseMillis / 1000,
            // Lease times are MicroTime: six digits of a second.
            renewTime: DateTime.formatIso(DateTime.makeUnsafe(now)).replace("Z", "000Z"),
          },
        })

        const read = Effect.gen(function* () {
          const found = yield* cluster.get(ref)
          if (Option.isSome(found)) return found.value
          // Whoever is first: the lease begins without a holder, and taking it is a separate, guarded write.
          return yield* cluster.apply({
            apiVersion: "coordination.k8s.io/v1",
            kind: "Lease",
            metadata: { name: "berth-operator", namespace },
            spec: { leaseDurationSeconds: leaseMillis / 1000 },
          })
        })

        /** Takes or renews the lease; whether it is ours. Another's write in between makes it fail. */
        const attempt = Effect.gen(function* () {
          const lease = yield* read
          const now = yield* Clock.currentTimeMillis
          const version = lease.metadata.resourceVersion
          if (seen?.version !== version) seen = { version, at: now }
          const holder = at(lease, "spec", "holderIdentity")
          const sight = { holder: typeof holder === "string" ? holder : undefined, unchangedSince: seen.at }
          if (!mayTake(sight, me, now)) return false
          const taken = yield* cluster.merge(ref, hold(version, me, now))
          seen = { version: taken.metadata.resourceVersion, at: now }
          return true
        }).pipe(Effect.timeoutOption("3 seconds"))

        const tryTake = attempt.pipe(
          Effect.map(Option.getOrElse(() => false)),
          Effect.catch(() => Effect.succeed(false)),
        )

        /**
         * Completes when the lead is lost. A renewal counts from when it was sent, since others may have seen it right then;
         * one that gets no answer is not waited for beyond the time to give up.
         */
        const keep = Effect.gen(function* () {
          let renewed = seen?.at ?? 0
          const left = Effect.map(Clock.currentTimeMillis, (now) => Math.max(0, renewed + giveUpAfter - now))
          while ((yield* left) > 0) {
            yield* Effect.sleep(Math.min(renewEvery, yield* left))
            const ours = yield* attempt.pipe(
              Effect.timeoutOption(yield* left),
              Effect.map(Option.flatten),
              Effect.catch(() => Effect.succeedNone),
            )
            if (Option.isNone(ours)) continue
            if (!ours.value) return
            renewed = seen?.at ?? renewed
          }
        })

        const giveBack = Effect.gen(function* () {
          if (!(yield* Ref.getAndSet(leading, false))) return
          const lease = yield* read
          if (at(lease, "spec", "holderIdentity") !== me) return
          yield* cluster.merge(ref, hold(lease.metadata.resourceVersion, null, yield* Clock.currentTimeMillis))
        }).pipe(Effect.timeoutOption("3 seconds"), Effect.ignore)
        yield* Effect.addFinalizer(() => giveBack)

        /** A leader whose work broke off must not keep it from others; alone, it begins anew. */
        const broken = (defect: unknown) =>
          Effect.logError("the work of this operator broke off; it gives the lead away", defect).pipe(
            Effect.andThen(giveBack),
            Effect.andThen(Effect.sleep(2 * lookEvery)),
          )

        return Lead.of({
          leading: Ref.get(leading),
          during: (work) =>
            Effect.gen(function* () {
              while (!(yield* tryTake)) yield* Effect.sleep(lookEvery)
              yield* Ref.set(leading, true)
              yield* Effect.logInfo("this operator leads")
              yield* Effect.raceFirst(work, keep).pipe(Effect.catchDefect(broken))
              yield* Ref.set(leading, false)
              yield* Effect.logWarning("this operator no longer leads")
            }).pipe(Effect.forever),
        })
      }),
    )
}
