/**
 * The gateway's side of the stand-in: its probes, its log, and how its Telegram channel fares. As OpenClaw 2026.9.6 does: who
 * bears the gateway's token is told what fails; a token that Telegram rejects fails at once and is not tried again; any other
 * failure is tried again and shows after two minutes.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { PodNode } from "../../Cluster/Node.ts"
import type { PodConfig } from "./PodConfig.ts"
import type { TelegramFailed } from "./Telegram.ts"

const graceMillis = 120_000

export const openGateway = Effect.fn("OpenClaw.gateway")(function* (node: PodNode, config: PodConfig) {
  const clock = yield* Clock.Clock
  let rejected = false
  let downSince: number | undefined

  const failing = (): ReadonlyArray<string> => {
    const isDown = downSince !== undefined && clock.currentTimeMillisUnsafe() - downSince >= graceMillis
    return rejected || isDown ? ["telegram"] : []
  }

  node.serve(({ path, bearer }) => {
    if (path === "/healthz") return { status: 200, body: JSON.stringify({ ok: true, status: "live" }) }
    if (path === "/startupz") return { status: 200, body: JSON.stringify({ ok: true, status: "started" }) }
    if (path !== "/readyz") return { status: 404, body: "not found" }
    const broken = failing()
    const told = bearer === Redacted.value(config.gatewayToken) ? { failing: broken } : {}
    return { status: broken.length === 0 ? 200 : 503, body: JSON.stringify({ ready: broken.length === 0, ...told }) }
  })
  node.log(`[gateway] agent model: ${config.model}`)
  node.log("[gateway] http server listening")

  /** Keeps the channel up: `greet` says who the bot is, `listen` goes on until it fails. */
  const keep = <R>(
    greet: Effect.Effect<unknown, TelegramFailed, R>,
    listen: Effect.Effect<unknown, TelegramFailed, R>,
  ): Effect.Effect<void, never, R> =>
    Effect.gen(function* () {
      node.log("[telegram] [default] starting provider")
      yield* greet
      downSince = undefined
      return yield* listen
    }).pipe(
      Effect.catch(({ method, status }) =>
        Effect.sync(() => {
          if (status === 401 || status === 404) {
            rejected = true
            node.log(
              `[telegram] [default] Telegram bot token unauthorized (${method} returned ${status} from Telegram)`,
            )
            node.log("[telegram] [default] auto-restart skipped, terminal disconnect")
            return
          }
          downSince ??= clock.currentTimeMillisUnsafe()
          node.log(`[telegram] [default] channel exited: ${method} failed; tried again in 2s`)
        }),
      ),
      Effect.andThen(Effect.suspend(() => (rejected ? Effect.never : Effect.sleep("2 seconds")))),
      Effect.forever,
    )

  return { keep }
})
