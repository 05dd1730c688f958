/**
 * The six services as six processes, that share nothing but a real Postgres, a real Redis and this machine's folder, each
 * with no more rights in the two than production gives it.
 */
import { randomBytes } from "node:crypto"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { loginOf } from "@berth/domain/testing/GroupLogin"
import { startRedisWithUsers } from "@berth/domain/testing/RedisUsers"
import { mint } from "@berth/domain/ProxyToken"
import type { RedisUser } from "@berth/domain/RedisRights"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { tellStory } from "../../src/demo/Story.ts"
import { folder, freePorts, type Program, run, until } from "../bin/Programs.ts"

const services: ReadonlyArray<Program> = ["proxy", "operator", "api", "onboarding", "billing", "web"]
const names = ["PROXY", "PROXY_OPS", "OPERATOR_OPS", "API", "INTERNAL", "API_OPS", "ONBOARDING", "ONBOARDING_OPS"]
const ports = [...names, "BILLING", "BILLING_OPS", "WEB", "WEB_OPS"].map((name) => `${name}_PORT`)

describe("six processes", () => {
  it.live(
    "sell an agent that answers, with their own rights alone, and stop when they are told to",
    () =>
      Effect.gen(function* () {
        const free = yield* freePorts(ports.length)
        const listen = Object.fromEntries(ports.map((variable, index) => [variable, String(free[index])]))
        const at = (variable: string) => `http://127.0.0.1:${listen[variable]}`
        const origin = at("WEB_PORT")
        const env = {
          ...listen,
          BERTH_DIR: `${yield* folder}/berth`,
          PUBLIC_URL: origin,
          INTERNAL_URL: at("INTERNAL_PORT"),
          SERVICE_TOKEN: "six-services",
          ONBOARDING_PROXY_URL: `${at("PROXY_PORT")}/v1`,
          ONBOARDING_PROXY_TOKEN: Redacted.value(mint(randomBytes(32))),
        }
        const redis = yield* startRedisWithUsers
        const database = yield* freshDatabase
        const control = { DATABASE_URL: Redacted.value(yield* loginOf(database, "berth_control")) }
        const redisOf = (user: RedisUser) => ({ REDIS_URL: Redacted.value(redis.urlOf(user)) })
        const own: Readonly<Record<string, Readonly<Record<string, string>>>> = {
          proxy: { DATABASE_URL: Redacted.value(yield* loginOf(database, "berth_proxy")), ...redisOf("proxy") },
          operator: redisOf("operator"),
          api: { ...control, ...redisOf("api") },
          onboarding: { ...control, ...redisOf("onboarding") },
          billing: { ...control, ...redisOf("billing") },
        }
        const running = yield* Effect.forEach(services, (service) => run(service, { ...env, ...own[service] }), {
          concurrency: "unbounded",
        })
        const told = () => running.map(({ output }) => output()).join("\n")
        const isUp = (service: Program, index: number) =>
          running[index]?.output().startsWith(service === "proxy" ? "token-proxy" : service) ?? false
        yield* until(() => services.every(isUp), told)

        const story = { origin, proxyOrigin: at("PROXY_PORT"), botUsername: "six_bot", toTheEnd: false }
        const { used } = yield* Effect.scoped(tellStory(story))
        assert.isAbove(used, 0)

        for (const { child } of running) child.kill("SIGTERM")
        for (const { ended } of running) assert.strictEqual(yield* ended, 0, told())
      }).pipe(
        Effect.scoped,
        Effect.provide(Layer.mergeAll(FetchHttpClient.layer, NodeSocket.layerWebSocketConstructor)),
      ),
    120_000,
  )
})
