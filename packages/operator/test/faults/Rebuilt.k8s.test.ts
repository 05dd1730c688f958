/**
 * Everything but Postgres is lost at once: the cluster with every agent on it, and Redis with what was on its way. Control's
 * own billing notices by itself that nobody mentions the agents any more, and an operator on an empty cluster builds each
 * anew as it stood.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type CustomerId, namespaceOf } from "@berth/domain/Ids"
import * as EmbeddedPostgres from "@berth/domain/live/EmbeddedPostgres"
import { hashOf } from "@berth/domain/ProxyToken"
import { startRedis } from "@berth/domain/testing/RedisServer"
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type Known, open } from "../../../../scripts/lost-cluster/Control.ts"
import * as Components from "../cluster/Components.ts"
import { type ControlPlane, isReady } from "../cluster/ControlPlane.ts"
import { agentPath } from "../RealCluster.ts"
import { recipient } from "../World.ts"
import { onlyOperator } from "./OperatorProcess.ts"
import { emptyCluster } from "./Stage.ts"

const resync = "2 seconds"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-lost-"))),
  (path) =>
    Effect.andThen(
      Effect.ignore(EmbeddedPostgres.erase({ folder: join(path, "postgres") })),
      Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 })),
    ),
)

/** What an agent consists of and where it says so, as far as it is the same in any cluster. */
const parts = [
  ["/api/v1", "secrets/openclaw", "data"],
  ["/api/v1", "configmaps/openclaw", "data"],
  ["/api/v1", "resourcequotas/openclaw", "spec"],
  ["/api/v1", "limitranges/openclaw", "spec"],
  ["/apis/networking.k8s.io/v1", "networkpolicies/openclaw", "spec"],
  ["/apis/apps/v1", "deployments/openclaw", "spec"],
] as const

/** All of them, the Agent first; fails if one is missing. */
const standing = Effect.fn(function* ({ api }: ControlPlane["Service"], customerId: CustomerId) {
  const agent = yield* api.get(agentPath(customerId))
  const rest = yield* Effect.forEach(parts, ([group, name, member]) =>
    Effect.map(api.get(`${group}/namespaces/${namespaceOf(customerId)}/${name}`), (object) => {
      assert.isDefined(object?.[member], `${customerId}: ${name}`)
      return [name, object[member]] as const
    }),
  )
  return { agent: agent.spec, ...Object.fromEntries(rest) }
})

/** What the customer was told but for the steps, which a page shows while an agent is built. */
const ends = (known: Known | undefined) => known?.told.filter((type) => type !== "step")

const tokenIn = (stands: Record<string, any>): string =>
  hashOf(Buffer.from(stands["secrets/openclaw"].PROXY_TOKEN, "base64").toString())

it.live(
  "control's own Postgres is enough to build every agent again in another cluster, with the same secrets, and nobody is told twice that theirs is live",
  () =>
    Effect.gen(function* () {
      const redis = yield* startRedis()
      const control = yield* open({ folder: yield* folder, redisUrl: redis.url, recipient, resync })
      const heard = Effect.fn(function* (customerId: CustomerId, what: string, is: (known: Known) => boolean) {
        for (const end = performance.now() + 120_000; ;) {
          const known = yield* control.known(customerId)
          if (is(known)) return known
          if (performance.now() > end)
            return assert.fail(`never heard of ${customerId} ${what}: ${JSON.stringify(known)}\n${control.words()}`)
          yield* Effect.sleep("100 millis")
        }
      })
      const answered = (phase: string, generation: number) => (known: Known) =>
        known.phase === phase && known.reportedGeneration === generation && known.openJobs === 0

      const lost = yield* emptyCluster()
      const plain = yield* control.sold("plain")
      const rotated = yield* control.sold("rotated")
      const stopped = yield* control.sold("stopped")
      const all = [
        [plain, "active", 1],
        [rotated, "active", 2],
        [stopped, "suspended", 2],
      ] as const
      const [before, knew] = yield* Effect.gen(function* () {
        yield* onlyOperator(lost, redis.url, { RESYNC_INTERVAL: resync })
        for (const customerId of [plain, rotated, stopped]) yield* heard(customerId, "as active", answered("active", 1))
        yield* control.agents.rotateToken(rotated, "test")
        yield* control.agents.change(stopped, { _tag: "Suspend", reason: "customer" }, "test")
        const knew = yield* Effect.forEach(all, ([customerId, phase, generation]) =>
          heard(customerId, `as ${phase}`, (known) => answered(phase, generation)(known) && known.tokens.length === 1),
        )
        return [yield* Effect.forEach(all, ([customerId]) => standing(lost, customerId)), knew] as const
      }).pipe(Effect.scoped)

      Components.killAll(lost.folder)
      yield* redis.kill
      const lostAt = Date.now()
      yield* redis.start
      const plane = yield* emptyCluster()
      yield* onlyOperator(plane, redis.url, { RESYNC_INTERVAL: resync })

      for (const [index, [customerId, phase, generation]] of all.entries()) {
        const knows = yield* heard(
          customerId,
          "from the new cluster",
          (known) => answered(phase, generation)(known) && known.reportedAt > lostAt,
        )
        yield* plane.api.until(
          agentPath(customerId),
          (agent) => agent?.status?.phase === phase && agent.status.observedGeneration === generation,
        )
        const stands = yield* standing(plane, customerId)
        assert.deepStrictEqual(stands, before[index], `${customerId} stands as it stood`)
        assert.deepStrictEqual(knows.tokens, [tokenIn(stands)], `${customerId} pays by the token that the proxy takes`)
        assert.deepStrictEqual(knows.tokens, knew[index]?.tokens, `${customerId}: the same token as before`)
        assert.deepStrictEqual(ends(knows), ends(knew[index]), `${customerId} is told nothing but the steps`)
        const { items } = yield* plane.api.get(`/api/v1/namespaces/${namespaceOf(customerId)}/pods`)
        assert.strictEqual(items.filter(isReady).length, phase === "active" ? 1 : 0, `${customerId}: pods`)
      }
    }).pipe(Effect.scoped),
  300_000,
)
