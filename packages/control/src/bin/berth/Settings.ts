/** What `npm start` reads from the environment, once: ports, folder, public address, and which ports stand embedded. */
import * as Embedded from "@berth/domain/Embedded"
import { Refused } from "@berth/domain/Launch"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import { folder } from "../Stores.ts"

/** Each port and the variable that makes it real. */
export const variables = {
  postgres: "DATABASE_URL",
  redis: "REDIS_URL",
  kimi: "KIMI_API_KEY",
  stripe: "STRIPE_SECRET_KEY",
  telegram: "TELEGRAM_BOT_TOKEN",
  mail: "SMTP_URL",
  cluster: "KUBECONFIG",
} as const

/** Variables that only make sense together with another. */
const companions = { STRIPE_SECRET_KEY: "STRIPE_WEBHOOK_SECRET", KUBECONFIG: "OPENCLAW_IMAGE" } as const

export const read = Effect.gen(function* () {
  const embedded = yield* Embedded.read(variables)
  for (const [variable, companion] of Object.entries(companions))
    if ((yield* Embedded.isGiven(variable)) && !(yield* Embedded.isGiven(companion)))
      return yield* new Refused({ message: `${variable} is given, so ${companion} is needed too.` })
  const ports = yield* Config.all({
    web: Config.Port("PORT").pipe(Config.withDefault(3000)),
    proxy: Config.Port("PROXY_PORT").pipe(Config.withDefault(8080)),
    internal: Config.Port("INTERNAL_PORT").pipe(Config.withDefault(3011)),
    ops: Config.Port("OPS_PORT").pipe(Config.withDefault(9090)),
  })
  const local = `http://127.0.0.1:${ports.web}`
  const publicUrl = yield* Config.URL("PUBLIC_URL").pipe(Config.withDefault(new URL(local)))
  return {
    embedded,
    ports,
    /** Web and api as this machine reaches them. */
    local,
    publicUrl,
    proxyUrl: `http://127.0.0.1:${ports.proxy}/v1`,
    folder: yield* folder,
  }
})
export type Settings = Effect.Success<typeof read>
