import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { readConfig } from "../../src/embedded/OpenClaw/PodConfig.ts"
import { openClawConfig } from "../../src/desired/OpenClawConfig.ts"
import { embedded } from "../../src/Settings.ts"
import { spec } from "../World.ts"

const built = openClawConfig(spec, embedded)
const env = {
  OPENCLAW_CONFIG_PATH: "/config/openclaw.json",
  PROXY_TOKEN: "p",
  TELEGRAM_BOT_TOKEN: "t",
  OPENCLAW_GATEWAY_TOKEN: "g",
}
const read = (config: object, environment: Record<string, string> = env) =>
  Effect.result(
    readConfig({
      uid: "1",
      namespace: "customer-ada",
      name: "openclaw",
      labels: {},
      image: "a",
      command: [],
      env: environment,
      volumes: {},
      ends: false,
      files: { "/config/openclaw.json": JSON.stringify(config) },
    }),
  )

describe("the pod's configuration", () => {
  it.effect("is read as the operator builds it", () =>
    Effect.gen(function* () {
      const config = yield* Effect.flatMap(read(built), Effect.fromResult)
      assert.deepStrictEqual([config.model, config.allowFrom, config.apiRoot], ["kimi-k2.6", ["4242"], undefined])
    }),
  )

  it.effect("breaks the pod when it is wrong: no token, a heartbeat, an open door, an unknown model", () =>
    Effect.gen(function* () {
      const { agents, channels } = built
      const wrong = [
        read(built, { ...env, PROXY_TOKEN: "" }),
        read({ ...built, agents: { defaults: { ...agents.defaults, heartbeat: { every: "30m" } } } }),
        read({ ...built, channels: { telegram: { ...channels.telegram, dmPolicy: "open" } } }),
        read({ ...built, agents: { defaults: { ...agents.defaults, model: { primary: "berth/gpt" } } } }),
        read({}),
      ]
      for (const attempt of wrong) assert.isTrue(Result.isFailure(yield* attempt))
    }),
  )
})
