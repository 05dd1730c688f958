/**
 * Berth's platform on a real node: the operator as a pod under its own ServiceAccount and no more rights than production
 * gives it, with a Redis beside the cluster. What else a test wants there it adds. Everything outside the cluster ends with
 * the scope; what is inside ends with the cluster, or when the next platform is made on it.
 */
import { randomBytes } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import type { RedisUser } from "@berth/domain/RedisRights"
import { Sealer } from "@berth/domain/Seal"
import { startRedisWithUsers } from "@berth/domain/testing/RedisUsers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { ClusterFailed } from "../cluster/Failure.ts"
import type { Handle } from "../cluster/Handle.ts"
import { identity, recipient } from "../World.ts"
import { hostRelay } from "./Relay.ts"
import * as Objects from "./PlatformObjects.ts"
import { order, type Order, type Tenant } from "./Tenants.ts"

const repository = join(import.meta.dirname, "../../../..")
/** What production applies too: the objects of a file. */
const shipped = (file: string): ReadonlyArray<unknown> => {
  const object = JSON.parse(readFileSync(join(repository, "kubenix", file), "utf8"))
  return object.kind === "List" ? object.items : [object]
}

export interface OperatorOptions {
  /** Berth's own image. */
  readonly image: string
  /** OpenClaw's, or what stands in for it. */
  readonly openclaw: string
  readonly env?: Readonly<Record<string, string>>
  readonly replicas?: number
}

const agentsPath = "/apis/berth.dev/v1alpha1/agents"
const ofAgents = "--selector=app.kubernetes.io/managed-by=berth-operator"

/** An earlier test's platform and agents: nothing of it may answer for the new one, and nothing of it may come to life again. */
const clear = Effect.fn("Platform.clear")(function* ({ api, kubectl }: Handle<never>) {
  if ((yield* api.get(`/api/v1/namespaces/${Objects.platform}`)) === undefined) return
  yield* kubectl(["delete", "namespace", Objects.platform, "--timeout=120s"])
  // The operator is gone and lets go of no Agent any more.
  const agents: ReadonlyArray<{ readonly metadata: { readonly name: string } }> =
    (yield* api.get(agentsPath))?.items ?? []
  for (const { metadata } of agents) {
    yield* api.merge(`${agentsPath}/${metadata.name}`, { metadata: { finalizers: null } })
    yield* api.remove(`${agentsPath}/${metadata.name}`)
  }
  yield* kubectl(["delete", "namespace", ofAgents, "--wait=false"])
  yield* kubectl(["delete", "pods", "--all-namespaces", ofAgents, "--grace-period=1", "--timeout=120s"])
  yield* kubectl(["delete", "namespace", ofAgents, "--timeout=120s"])
  yield* kubectl(["delete", "namespace", Objects.records, "--ignore-not-found", "--timeout=120s"])
})

export const make = Effect.fn("Platform.make")(function* (
  cluster: Handle<never>,
  /** An address of this machine that pods of the platform reach. */
  hostAddress: string,
) {
  const apply = (objects: ReadonlyArray<unknown>) =>
    cluster.kubectl(
      ["apply", "--server-side", "--force-conflicts", "--filename=-"],
      JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
    )
  const redis = yield* startRedisWithUsers
  const localRedis = (user: RedisUser) => redis.urlOf(user)
  const redisPort = Number(new URL(Redacted.value(localRedis("operator"))).port)
  const relay = yield* hostRelay(hostAddress, redisPort)
  /** As a pod reaches it. */
  const redisOf = (user: RedisUser): string => {
    const url = new URL(Redacted.value(localRedis(user)))
    url.hostname = hostAddress
    url.port = String(relay.port)
    return url.href
  }

  yield* clear(cluster)
  yield* apply(shipped("crds/agents.json"))
  yield* apply([Objects.namespace(Objects.platform), Objects.namespace(Objects.records)])
  yield* apply(shipped("rbac/operator.json"))

  const queue = yield* Layer.build(JobQueueRedis.layer.pipe(Layer.provide(RedisClient.layerOf(localRedis("admin")))))
  const sealer = yield* Layer.build(Sealer.layer(recipient))

  /** What its pods say, for whoever must find out why they don't start. */
  const lastWords = (name: string) =>
    Effect.forEach(
      [
        ["get", "pods", "--output=wide"],
        ["describe", "pods", `--selector=app.kubernetes.io/name=${name}`],
        ["logs", "--tail=30", "--all-containers", `--selector=app.kubernetes.io/name=${name}`],
      ],
      (args) =>
        cluster.kubectl([...args, `--namespace=${Objects.platform}`]).pipe(
          Effect.catch(({ message }) => Effect.succeed(message)),
          Effect.map((printed) => printed.trim().split("\n").slice(-30).join("\n")),
        ),
    )
  /** An error that says what the service's pods say. */
  const withLastWords =
    (name: string) =>
    <A>(effect: Effect.Effect<A, ClusterFailed>) =>
      effect.pipe(
        Effect.catch(({ message }) =>
          Effect.flatMap(lastWords(name), (said) =>
            Effect.fail(new ClusterFailed({ message: [message, ...said].join("\n") })),
          ),
        ),
      )
  const rolledOut = (name: string, seconds = 90) =>
    cluster
      .kubectl(["rollout", "status", `--namespace=${Objects.platform}`, `deployment/${name}`, `--timeout=${seconds}s`])
      .pipe(withLastWords(name))
  /** A store that is nowhere, for whoever exports nothing; `env` may name another. */
  const exportUrl = "http://berth:nowhere@203.0.113.10/exports"
  const operatorToken = randomBytes(24).toString("base64url")

  return {
    cluster,
    hostAddress,
    apply,
    rolledOut,
    redisOf,
    localRedis,
    cutRedis: relay.cut,
    /** The bearer for the operator's own port. */
    operatorToken,
    /** Secrets of the platform's that no customer may ever see. */
    secrets: [identity, operatorToken, new URL(Redacted.value(localRedis("operator"))).password],
    /** Starts the operator, or changes it; comes back when it is ready. */
    operator: ({ env = {}, image, openclaw, replicas = 1 }: OperatorOptions) =>
      Effect.andThen(
        apply([
          Objects.secret("operator", {
            OPERATOR_AGE_IDENTITY: identity,
            OPERATOR_TOKEN: operatorToken,
            EXPORT_AGE_RECIPIENT: recipient,
            EXPORT_URL: exportUrl,
            REDIS_URL: redisOf("operator"),
          }),
          Objects.program({
            name: "operator",
            image,
            program: "packages/operator/src/bin/operator.ts",
            opsPort: 9095,
            replicas,
            env: { KUBECONFIG: "in-cluster", OPENCLAW_IMAGE: openclaw, EXPORTER_IMAGE: image, ...env },
          }),
        ]),
        replicas === 0 ? Effect.void : rolledOut("operator"),
      ),
    /** Puts a job on the operator's list. */
    order: (tenant: Tenant, what: Order) =>
      order(tenant, what).pipe(Effect.provideContext(queue), Effect.provideContext(sealer)),
    /** Waits until the Agent stands for the generation in the phase. */
    reaches: (tenant: Tenant, phase: string, generation: number, seconds = 90) =>
      cluster.api
        .until(
          `${agentsPath}/${tenant.customerId}`,
          (agent) => agent?.status?.phase === phase && agent.status.observedGeneration === generation,
          seconds,
        )
        .pipe(withLastWords("operator")),
  }
})

export type Platform = Effect.Success<ReturnType<typeof make>>
