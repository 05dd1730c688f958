/** Picks each port of the operator: the real thing if its variable is given, else embedded. */
import { AgentEvents } from "@berth/domain/AgentEvents"
import * as Embedded from "@berth/domain/Embedded"
import { JobQueue } from "@berth/domain/JobQueue"
import * as Listen from "@berth/domain/Listen"
import * as AgentEventsRedis from "@berth/domain/live/AgentEventsRedis"
import * as JobQueueRedis from "@berth/domain/live/JobQueueRedis"
import { RedisClient } from "@berth/domain/live/RedisClient"
import { Opener } from "@berth/domain/Seal"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import { layerMemory } from "../Cluster/Memory.ts"
import * as Exporter from "../embedded/Exporter.ts"
import * as OpenClaw from "../embedded/OpenClaw.ts"
import { Lead } from "../Lead.ts"
import * as ClusterKubernetes from "../live/ClusterKubernetes.ts"
import * as Outside from "../live/Outside.ts"
import { recordsNamespace } from "../Records.ts"

const variables = {
  redis: "REDIS_URL",
  // Pods of a real cluster pull the image; the embedded name would only fail there, minutes later.
  cluster: ["KUBECONFIG", "OPENCLAW_IMAGE", "EXPORTER_IMAGE"],
  exports: ["EXPORT_URL", "EXPORT_AGE_RECIPIENT"],
  seal: "OPERATOR_AGE_IDENTITY",
  /** For services that ask how an agent does. */
  bearer: "OPERATOR_TOKEN",
} as const

export const embedded = Embedded.read(variables)
type Ports = Embedded.EmbeddedPorts<keyof typeof variables>

const memoryCluster = Layer.unwrap(
  Effect.gen(function* () {
    const proxy = yield* Listen.port("PROXY_PORT", 8080)
    const onboarding = yield* Listen.port("ONBOARDING_PORT", 3002)
    // A made-up bot has no business at the real Telegram: onboarding serves the embedded one.
    const telegramApiRoot = `http://127.0.0.1:${onboarding}/dev/telegram/api`
    const serves = yield* OpenClaw.process({
      hosts: { "token-proxy.platform.svc": `http://127.0.0.1:${proxy}` },
      telegramApiRoot,
    })
    const process = yield* Exporter.process(serves)
    return Layer.merge(layerMemory({ process }), Outside.botTokens(telegramApiRoot))
  }),
).pipe(Layer.provide(FetchHttpClient.layer))

export const layer = ({ redis, cluster }: Ports, identity: Redacted.Redacted<string>) =>
  Layer.mergeAll(
    redis === undefined
      ? Layer.mergeAll(JobQueueRedis.layer, AgentEventsRedis.layer).pipe(Layer.provide(RedisClient.layer))
      : Layer.merge(JobQueue.layerMemory, AgentEvents.layerMemory),
    cluster === undefined
      ? Lead.layerLease(recordsNamespace).pipe(Layer.provideMerge(ClusterKubernetes.layer), Layer.merge(Outside.layer))
      : Layer.merge(Lead.layerMemory, memoryCluster),
    Opener.layer(identity),
  )
