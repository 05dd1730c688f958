/**
 * Everything of the story, real but for the three companies at its ends: on the node the operator and the token-proxy as pods
 * of the platform, on this machine the rest of Berth as processes with no more rights than production gives them, on a real
 * Postgres and a real Redis; Kimi, Telegram and Stripe are doubles. All of it ends with the scope.
 */
import { randomBytes } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Allowances } from "@berth/control/billing/Allowances"
import { Audit } from "@berth/control/billing/Audit"
import { Agents } from "@berth/control/provision/Agents"
import { AgentSecrets } from "@berth/control/provision/AgentSecrets"
import type { Change } from "@berth/control/provision/DesiredState"
import { JobOutbox } from "@berth/control/provision/JobOutbox"
import type { CustomerId } from "@berth/domain/Ids"
import * as EmbeddedPostgres from "@berth/domain/live/EmbeddedPostgres"
import * as Postgres from "@berth/domain/live/Postgres"
import { migrate } from "@berth/domain/Migrations"
import type { Group } from "@berth/domain/PostgresRights"
import { freePorts } from "@berth/domain/testing/FreePorts"
import { loginOf } from "@berth/domain/testing/GroupLogin"
import type { RedisUser } from "@berth/domain/RedisRights"
import { Sealer } from "@berth/domain/Seal"
import { Work } from "@berth/domain/Work"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { type Program, run, until } from "../../packages/control/test/bin/Programs.ts"
import { berthImage } from "../../packages/operator/test/cluster/images/Berth.ts"
import { openClawImage } from "../../packages/operator/test/cluster/images/OpenClaw.ts"
import * as Addresses from "../../packages/operator/test/cluster/node/Addresses.ts"
import { RealNode } from "../../packages/operator/test/cluster/RealNode.ts"
import * as Platform from "../../packages/operator/test/platform/Platform.ts"
import * as Objects from "../../packages/operator/test/platform/PlatformObjects.ts"
import { hostRelay } from "../../packages/operator/test/platform/Relay.ts"
import { identity, recipient } from "../../packages/operator/test/World.ts"
import * as Kimi from "./Kimi.ts"
import * as Storage from "./Storage.ts"
import * as Telegram from "./Telegram.ts"

const services: ReadonlyArray<Program> = ["api", "onboarding", "billing", "web"]
const variables = [
  "API",
  "INTERNAL",
  "API_OPS",
  "ONBOARDING",
  "ONBOARDING_OPS",
  "BILLING",
  "BILLING_OPS",
  "WEB",
  "WEB_OPS",
]

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-story-"))),
  (path) =>
    Effect.andThen(
      Effect.ignore(EmbeddedPostgres.erase({ folder: join(path, "postgres") })),
      Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })),
    ),
)

export const open = Effect.fn("World.open")(function* (say: (line: string) => void) {
  const node = yield* RealNode
  const folder = yield* temporaryFolder

  say("images")
  const [berth, openclaw] = yield* Effect.all([berthImage, openClawImage])
  const begun = performance.now()
  for (const { tar } of [berth, openclaw]) yield* node.importImage(tar)
  const importMillis = Math.round(performance.now() - begun)

  say("Postgres, Redis, doubles")
  const postgres = yield* EmbeddedPostgres.make({ folder: join(folder, "postgres"), fsync: false })
  yield* migrate.pipe(Effect.provide(Postgres.layer(postgres.url, 2)), Effect.orDie)
  const login = (group: Group) => Effect.map(loginOf(postgres.url, group), Redacted.value)
  const platform = yield* Platform.make(node, Addresses.hostAddress)
  const localRedis = (user: RedisUser) => Redacted.value(platform.localRedis(user))
  const kimi = yield* Kimi.start
  const storage = yield* Storage.start(node.folder)

  say("the services of control")
  const free = yield* Effect.promise(() => freePorts(variables.length))
  const listen = Object.fromEntries(variables.map((name, index) => [`${name}_PORT`, String(free[index])]))
  const at = (variable: string) => `http://127.0.0.1:${listen[variable]}`
  const origin = at("WEB_PORT")
  const control = yield* login("berth_control")
  const env = {
    ...listen,
    BERTH_DIR: join(folder, "berth"),
    PUBLIC_URL: origin,
    INTERNAL_URL: at("INTERNAL_PORT"),
    SERVICE_TOKEN: randomBytes(16).toString("hex"),
    OPERATOR_AGE_RECIPIENT: recipient,
    EXPORT_URL: storage.url,
    EXPORT_AGE_IDENTITY: identity,
  }
  const stores = { DATABASE_URL: control }
  const own: Readonly<Partial<Record<Program, Readonly<Record<string, string>>>>> = {
    api: { ...stores, REDIS_URL: localRedis("api") },
    onboarding: { ...stores, REDIS_URL: localRedis("onboarding") },
    billing: { ...stores, REDIS_URL: localRedis("billing") },
  }
  const running = yield* Effect.forEach(services, (service) => run(service, { ...env, ...own[service] }), {
    concurrency: "unbounded",
  })
  const told = () => running.map(({ output }) => output()).join("\n")
  yield* until(
    () => services.every((service, index) => running[index]?.output().includes(`${service} on `) ?? false),
    told,
  )
  const telegram = yield* Telegram.start(node.folder, Number(listen.ONBOARDING_PORT))

  say("the token-proxy and the operator, as pods")
  const kimiRelay = yield* hostRelay(Addresses.hostAddress, kimi.port)
  const postgresRelay = yield* hostRelay(Addresses.hostAddress, postgres.port)
  const database = new URL(yield* login("berth_proxy"))
  database.hostname = Addresses.hostAddress
  database.port = String(postgresRelay.port)
  yield* platform.apply([
    Objects.serviceAccount("token-proxy"),
    Objects.secret("token-proxy", {
      DATABASE_URL: database.href,
      REDIS_URL: platform.redisOf("proxy"),
      KIMI_API_KEY: "sk-e2e-upstream-key",
    }),
    Objects.service("token-proxy", { http: [80, 8080] }),
    Objects.program({
      name: "token-proxy",
      image: berth.ref,
      program: "packages/proxy/src/bin/token-proxy.ts",
      opsPort: 9090,
      env: { KIMI_BASE_URL: `http://${Addresses.hostAddress}:${kimiRelay.port}/v1`, PUBLIC_URL: origin },
    }),
  ])
  const operator = {
    image: berth.ref,
    openclaw: openclaw.ref,
    env: { TELEGRAM_API_ROOT: telegram.apiRoot, EXPORT_URL: storage.outside },
  }
  yield* platform.operator(operator)
  yield* platform.rolledOut("token-proxy")

  const sql = Context.get(yield* Layer.build(Postgres.layer(Redacted.make(control), 1)), SqlClient)
  const agents = yield* Layer.build(
    Agents.layer.pipe(
      Layer.provide([JobOutbox.layer, Allowances.layer, AgentSecrets.layer, Audit.layer]),
      Layer.provide([Work.layer, Sealer.layer(recipient), NodeServices.layer, SecureRandom.layerWebCrypto]),
      Layer.provide(Postgres.layer(Redacted.make(control), 2)),
    ),
  )
  return {
    node,
    platform,
    operator,
    kimi,
    openclaw,
    telegram,
    origin,
    importMillis,
    told,
    /** When the payment was booked and the job with it, epoch ms. */
    bookedAt: (customerId: CustomerId) =>
      Effect.map(
        sql<{ readonly at: number }>`SELECT created_at AS at FROM agents WHERE customer_id = ${customerId}`,
        ([row]) => row?.at ?? 0,
      ),
    /** Changes what an agent should be, as billing does. */
    change: (customerId: CustomerId, change: Change) =>
      Agents.use((desk) => desk.change(customerId, change, "e2e")).pipe(Effect.provideContext(agents)),
  }
})

export type World = Effect.Success<ReturnType<typeof open>>
