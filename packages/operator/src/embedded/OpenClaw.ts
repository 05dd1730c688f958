/**
 * What runs in the memory cluster's pods: a client that behaves towards Telegram and the token-proxy as OpenClaw does. It
 * knows nothing but its pod: Secret and ConfigMap as the operator built them, and the volume that keeps the conversation.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type { PodNode } from "../Cluster/Node.ts"
import type { PodProcess, RunningPod } from "../Cluster/Pods.ts"
import { complete, newTraceId } from "./OpenClaw/Completion.ts"
import { openGateway } from "./OpenClaw/Gateway.ts"
import { openMemory } from "./OpenClaw/Memory.ts"
import { next } from "./OpenClaw/Outcome.ts"
import { type PodConfig, readConfig } from "./OpenClaw/PodConfig.ts"
import { type Message, requestBody } from "./OpenClaw/Prompt.ts"
import { make as makeTelegram, type Update } from "./OpenClaw/Telegram.ts"

export interface OpenClawOptions {
  /** Cluster DNS: the origin that stands behind a host name, `{ "token-proxy.platform.svc": "http://127.0.0.1:8080" }`. */
  readonly hosts: Readonly<Record<string, string>>
  /** Used when the pod's configuration names no Telegram Bot API of its own. */
  readonly telegramApiRoot?: string
  /** Seconds that one getUpdates waits. */
  readonly pollSeconds?: number
}

/** Messages of the conversation that are sent along. */
const remembered = 20

const resolveHost = (url: string, hosts: OpenClawOptions["hosts"]): string => {
  const { hostname, pathname } = new URL(url)
  const origin = hosts[hostname]
  return origin === undefined ? url : `${new URL(origin).origin}${pathname}`
}

/** Answers one message, with as many requests to the proxy as OpenClaw would make. */
const turn = Effect.fn("OpenClaw.turn")(function* (
  client: HttpClient.HttpClient,
  config: PodConfig,
  url: string,
  conversation: ReadonlyArray<Message>,
) {
  const traceId = yield* newTraceId
  const body = requestBody(config.model, config.maxTokens, conversation)
  for (let tries = 0; ;) {
    const answer = yield* complete(client, { url, token: config.proxyToken, body, traceId, tries })
    const step = next(answer, ++tries)
    if (step._tag === "Say") return step
    yield* Effect.sleep(step.afterMillis)
  }
})

/** The process for `layerMemory({ process })`. */
export const process = (options: OpenClawOptions): Effect.Effect<PodProcess, never, HttpClient.HttpClient> =>
  Effect.gen(function* () {
    const client = yield* HttpClient.HttpClient
    return Effect.fnUntraced(function* (pod: RunningPod, node: PodNode) {
      const config = yield* readConfig(pod)
      const channel = yield* openGateway(node, config)
      const apiRoot = config.apiRoot ?? options.telegramApiRoot ?? "https://api.telegram.org"
      const telegram = makeTelegram(client, apiRoot, config.botToken)
      const url = `${resolveHost(config.baseUrl, options.hosts)}/chat/completions`
      const allowed = new Set(config.allowFrom)
      const memory = openMemory(pod)
      let offset = 0

      const hear = Effect.fnUntraced(function* ({ message }: Update) {
        if (message?.text === undefined || message.chat.type !== "private") return
        if (message.from === undefined || !allowed.has(String(message.from.id))) return
        yield* telegram.typing(message.chat.id).pipe(Effect.ignore)
        const asked = [...memory.read(), { role: "user", content: message.text } satisfies Message].slice(-remembered)
        const { text, remember } = yield* turn(client, config, url, asked)
        node.log(`[agent] answered a message with ${text.length} characters`)
        if (remember) memory.write([...asked, { role: "assistant", content: text }])
        yield* telegram.say(message.chat.id, text)
      })

      const listen = Effect.gen(function* () {
        const updates = yield* telegram.getUpdates(offset, options.pollSeconds ?? 25)
        for (const update of updates) {
          // Moves on first: a message that fails must not come again for ever.
          offset = update.update_id + 1
          yield* hear(update)
        }
      }).pipe(Effect.forever)

      yield* channel.keep(telegram.getMe, telegram.deleteWebhook.pipe(Effect.andThen(listen))).pipe(
        // The client's own trace headers would replace OpenClaw's.
        Effect.provideService(HttpClient.TracerPropagationEnabled, false),
        Effect.forkScoped,
      )
    })
  })
