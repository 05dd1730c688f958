/** Picks each port of the operator: the real thing if its variable is given, else embedded; in production only the real thing. */
import { AgentEvents } from "@berth/domain/AgentEvents"
import { refusal } from "@berth/domain/Embedded"
import { JobQueue } from "@berth/domain/JobQueue"
import { Refused } from "@berth/domain/Launch"
import * as AgentEventsRedis from "@berth/domain/live/AgentEventsRedis"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { Opener } from "@berth/domain/Seal"
import * as Age from "age-encryption"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { layerMemory } from "../Cluster/Memory.ts"
import * as OpenClaw from "../embedded/OpenClaw.ts"
import { Lead } from "../Lead.ts"
import * as ClusterKubernetes from "../live/ClusterKubernetes.ts"

const variables = {
  jobs: "REDIS_URL",
  cluster: "KUBECONFIG",
  identity: "OPERATOR_AGE_IDENTITY",
  image: "OPENCLAW_IMAGE",
} as const
type Port = keyof typeof variables

/** The variable of each port that stands embedded. */
export type Embedded = Readonly<Record<Port, string | undefined>>

export const embedded: Effect.Effect<Embedded, Config.ConfigError | Refused> = Effect.gen(function* () {
  const missing = (port: Port) =>
    Config.String(variables[port]).pipe(
      Config.withDefault(""),
      Config.map((value) => (value === "" ? variables[port] : undefined)),
    )
  const ports = yield* Config.all({
    jobs: missing("jobs"),
    cluster: missing("cluster"),
    identity: missing("identity"),
    image: missing("image"),
  })
  const message = refusal(yield* Config.String("BERTH_ENV").pipe(Config.withDefault("development")), ports)
  if (message !== undefined) return yield* new Refused({ message })
  // Pods of a real cluster pull the image; the embedded name would only fail there, minutes later.
  if (ports.cluster === undefined && ports.image !== undefined)
    return yield* new Refused({ message: "KUBECONFIG is given, so OPENCLAW_IMAGE (name@sha256:…) is needed too." })
  return ports
})

/** The operator's age identity; a made-up one opens what this process sealed itself. */
export const identity = Effect.gen(function* () {
  const given = yield* Config.option(Config.Redacted("OPERATOR_AGE_IDENTITY"))
  return Option.isSome(given) ? given.value : Redacted.make(yield* Effect.promise(() => Age.generateIdentity()))
})

const memoryCluster = Layer.unwrap(
  Effect.gen(function* () {
    const port = yield* Config.Port("PROXY_PORT").pipe(Config.withDefault(8080))
    const web = yield* Config.Port("PORT").pipe(Config.withDefault(3000))
    const process = yield* OpenClaw.process({
      hosts: { "token-proxy.platform.svc": `http://127.0.0.1:${port}` },
      // The embedded Telegram of `npm start`; a made-up bot token has no business at the real one.
      telegramApiRoot: `http://127.0.0.1:${web}/dev/telegram/api`,
    })
    return layerMemory({ process })
  }),
).pipe(Layer.provide(FetchHttpClient.layer))

export const layer = (missing: Embedded, key: Redacted.Redacted<string>) => {
  const redis = Layer.mergeAll(JobQueueRedis.layer, AgentEventsRedis.layer).pipe(Layer.provide(RedisClient.layer))
  const cluster =
    missing.cluster === undefined
      ? Lead.layerLease("platform").pipe(Layer.provideMerge(ClusterKubernetes.layer))
      : Layer.merge(Lead.layerMemory, memoryCluster)
  return Layer.mergeAll(
    missing.jobs === undefined ? redis : Layer.merge(JobQueue.layerMemory, AgentEvents.layerMemory),
    cluster,
    Opener.layer(key),
  )
}
