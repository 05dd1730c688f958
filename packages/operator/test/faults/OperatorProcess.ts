/**
 * The operator as production runs it: a process of its own, under its own rights alone, on a real Redis and a real
 * kube-apiserver, which it reaches through a place where faults can be made.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePorts } from "@berth/domain/testing/FreePorts"
import * as Effect from "effect/Effect"
import * as Components from "../cluster/Components.ts"
import type { ControlPlane } from "../cluster/ControlPlane.ts"
import { embedded, type OperatorSettings } from "../../src/Settings.ts"
import { operatorAccount } from "../RealCluster.ts"
import { identity } from "../World.ts"
import { type FaultyApi, faultyApi } from "./FaultyApi.ts"

const image = (name: string) => `registry.test/${name}@sha256:${"1".repeat(64)}`

/** What these processes are told, for a comparison with what they make of it. */
export const settings: OperatorSettings = {
  ...embedded,
  images: { stable: image("openclaw") },
  exporterImage: image("berth"),
}

export interface OperatorProcess {
  readonly api: FaultyApi
  /** SIGKILL, at once, from anywhere. */
  readonly killNow: () => void
  readonly kill: Effect.Effect<void>
  /** Whether it says that it is ready. */
  readonly ready: Effect.Effect<boolean>
  /** The end of what it printed. */
  readonly words: Effect.Effect<string>
}

let count = 0

type Variables = Readonly<Record<string, string>>

/** Starts one, with these variables besides; it is gone when the scope closes. */
export const operatorProcess = Effect.fn(function* (
  plane: ControlPlane["Service"],
  redisUrl: string,
  variables: Variables = {},
) {
  const api = yield* faultyApi(plane)
  const account = readFileSync(yield* plane.kubeconfig(operatorAccount), "utf8")
  const name = `operator-${count++}`
  const kubeconfig = join(plane.folder, `${name}.kubeconfig`)
  writeFileSync(kubeconfig, account.replaceAll(plane.facts.server, api.server), { mode: 0o600 })
  const [ops = 0, port = 0] = yield* Effect.promise(() => freePorts(2))
  yield* plane.runs(name, {
    command: process.execPath,
    args: [join(import.meta.dirname, "../../src/bin/operator.ts")],
    env: {
      BERTH_DIR: join(plane.folder, "berth"),
      EXPORTER_IMAGE: settings.exporterImage,
      KUBECONFIG: kubeconfig,
      OPENCLAW_IMAGE: settings.images.stable,
      OPERATOR_AGE_IDENTITY: identity,
      OPERATOR_OPS_PORT: String(ops),
      OPERATOR_PORT: String(port),
      OPERATOR_TOKEN: "a-token-of-the-test-and-of-nothing-else",
      REDIS_URL: redisUrl,
      ...variables,
    },
  })
  const killNow = () => Components.kill(plane.folder, name)
  return {
    api,
    killNow,
    kill: Effect.sync(killNow),
    ready: Effect.promise(async () => {
      try {
        return (await fetch(`http://127.0.0.1:${ops}/readyz`, { signal: AbortSignal.timeout(5_000) })).ok
      } catch {
        return false
      }
    }),
    words: Effect.sync(() => Components.tail(plane.folder, name, 30)),
  } satisfies OperatorProcess as OperatorProcess
})

const lease = "/apis/coordination.k8s.io/v1/namespaces/berth-agents/leases/berth-operator"

/** What a dead leader left is free at once, for a test that has seen it waited for often enough. */
export const freeLease = (plane: ControlPlane["Service"]) => plane.api.merge(lease, { spec: { holderIdentity: null } })

/** Waits until another than the one before leads; gives whom the lease names. */
export const leader = (plane: ControlPlane["Service"], before?: string) =>
  Effect.map(
    plane.api.until(lease, (one) => (one?.spec.holderIdentity ?? before) !== before),
    (one): string => one.spec.holderIdentity,
  )

/** The only one of its cluster. It is killed when the scope closes, and the next has the lease at once. */
export const onlyOperator = Effect.fn(function* (
  plane: ControlPlane["Service"],
  redisUrl: string,
  variables: Variables = {},
) {
  yield* Effect.addFinalizer(() => Effect.orDie(freeLease(plane)))
  return yield* operatorProcess(plane, redisUrl, variables)
})
