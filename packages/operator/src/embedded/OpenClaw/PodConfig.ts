/** What the stand-in reads of OpenClaw's configuration: enough that a wrong one breaks it as it would break the real one. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { PodFailed, type RunningPod } from "../../Cluster/Pods.ts"

const FromEnvironment = Schema.Struct({
  source: Schema.Literal("env"),
  provider: Schema.Literal("default"),
  id: Schema.NonEmptyString,
})

const Provider = Schema.Struct({
  baseUrl: Schema.NonEmptyString,
  api: Schema.Literal("openai-completions"),
  apiKey: FromEnvironment,
  models: Schema.NonEmptyArray(Schema.Struct({ id: Schema.NonEmptyString, maxTokens: Schema.Int })),
})

const OpenClawJson = Schema.fromJsonString(
  Schema.Struct({
    gateway: Schema.Struct({ port: Schema.Int, auth: Schema.Struct({ token: FromEnvironment }) }),
    models: Schema.Struct({ mode: Schema.Literal("replace"), providers: Schema.Record(Schema.String, Provider) }),
    agents: Schema.Struct({
      defaults: Schema.Struct({
        model: Schema.Struct({ primary: Schema.NonEmptyString }),
        // Anything else would call the model by itself, which this stand-in can't do.
        heartbeat: Schema.Struct({ every: Schema.Literal("0m") }),
      }),
    }),
    channels: Schema.Struct({
      telegram: Schema.Struct({
        enabled: Schema.Literal(true),
        botToken: FromEnvironment,
        dmPolicy: Schema.Literal("allowlist"),
        allowFrom: Schema.Array(Schema.String),
        groupPolicy: Schema.Literal("disabled"),
        apiRoot: Schema.optionalKey(Schema.String),
      }),
    }),
  }),
)

export interface PodConfig {
  readonly model: string
  readonly maxTokens: number
  readonly baseUrl: string
  readonly proxyToken: Redacted.Redacted<string>
  readonly botToken: Redacted.Redacted<string>
  readonly gatewayToken: Redacted.Redacted<string>
  readonly allowFrom: ReadonlyArray<string>
  readonly apiRoot: string | undefined
}

const broken = (message: string) => new PodFailed({ reason: "CrashLoopBackOff", message })

export const readConfig = Effect.fn("OpenClaw.readConfig")(function* (pod: RunningPod) {
  const path = pod.env.OPENCLAW_CONFIG_PATH
  const text = path === undefined ? undefined : pod.files[path]
  if (text === undefined) return yield* broken("OPENCLAW_CONFIG_PATH names no file")
  const config = yield* Schema.decodeUnknownEffect(OpenClawJson)(text).pipe(
    Effect.mapError(() => broken(`${path} is not a configuration`)),
  )
  const [name, ...rest] = config.agents.defaults.model.primary.split("/")
  const provider = config.models.providers[name ?? ""]
  const model = provider?.models.find(({ id }) => id === rest.join("/"))
  if (provider === undefined || model === undefined) return yield* broken("the primary model is not configured")
  const secret = ({ id }: typeof FromEnvironment.Type) => {
    const value = pod.env[id]
    return value === undefined || value === ""
      ? Effect.fail(broken(`${id} is not set`))
      : Effect.succeed(Redacted.make(value))
  }
  return {
    model: model.id,
    maxTokens: model.maxTokens,
    baseUrl: provider.baseUrl,
    proxyToken: yield* secret(provider.apiKey),
    botToken: yield* secret(config.channels.telegram.botToken),
    gatewayToken: yield* secret(config.gateway.auth.token),
    allowFrom: config.channels.telegram.allowFrom,
    apiRoot: config.channels.telegram.apiRoot,
  } satisfies PodConfig as PodConfig
})
