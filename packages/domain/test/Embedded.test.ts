import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Embedded from "../src/Embedded.ts"

const variables = { jobs: "REDIS_URL", stripe: ["STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET"] } as const

const read = (env: Record<string, string>) =>
  Embedded.read(variables).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

const refusal = (env: Record<string, string>) => Effect.map(Effect.flip(read(env)), ({ message }) => message)

describe("embedded ports", () => {
  it.effect("are those whose own variable is not given, or given empty", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read({ REDIS_URL: "" }), { jobs: "REDIS_URL", stripe: "STRIPE_SECRET_KEY" })
      const one = { STRIPE_SECRET_KEY: "sk", STRIPE_WEBHOOK_SECRET: "whsec" }
      assert.deepStrictEqual(yield* read(one), { jobs: "REDIS_URL", stripe: undefined })
    }),
  )

  it.effect("are refused in production, each by every variable that is missing, and all at once", () =>
    Effect.gen(function* () {
      const nothing =
        "BERTH_ENV=production refuses embedded ports: set REDIS_URL (jobs), STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET (stripe)."
      assert.strictEqual(yield* refusal({ BERTH_ENV: "production" }), nothing)
      const half = { BERTH_ENV: "production", STRIPE_SECRET_KEY: "sk", REDIS_URL: "redis://r" }
      assert.strictEqual(
        yield* refusal(half),
        "BERTH_ENV=production refuses embedded ports: set STRIPE_WEBHOOK_SECRET (stripe).",
      )
    }),
  )

  it.effect("are fine in production once all is given", () =>
    Effect.gen(function* () {
      const all = {
        BERTH_ENV: "production",
        STRIPE_SECRET_KEY: "sk",
        STRIPE_WEBHOOK_SECRET: "w",
        REDIS_URL: "redis://r",
      }
      assert.deepStrictEqual(yield* read(all), { jobs: undefined, stripe: undefined })
    }),
  )

  it.effect("are refused anywhere with half of what the real one needs", () =>
    Effect.gen(function* () {
      const message = "STRIPE_SECRET_KEY is given, so STRIPE_WEBHOOK_SECRET is needed too."
      assert.strictEqual(yield* refusal({ STRIPE_SECRET_KEY: "sk" }), message)
    }),
  )

  it("stand in the banner with the variable that makes them real", () => {
    assert.deepStrictEqual(Embedded.describe({ jobs: "REDIS_URL", mail: undefined }), [
      "  jobs       embedded (REDIS_URL makes it real)",
      "  mail       real",
    ])
  })
})
