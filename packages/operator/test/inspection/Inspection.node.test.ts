/**
 * What the operator says of an agent, with no more rights than production gives it, where all of it is real: the kubelet's
 * logs and volumes, the kernel's memory, and OpenClaw's own word of how it does.
 */
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { tenant } from "../platform/Tenants.ts"
import { shrink, Stage } from "./Stage.ts"

describe("a look at a customer's agent", () => {
  layer(Stage.layer, { excludeTestServices: true, timeout: "15 minutes" })((it) => {
    it.effect("shows how it does, and what it writes, to whoever has the operator's bearer", () =>
      Effect.gen(function* () {
        const { ask, nora } = yield* Stage
        // It runs before its channel is up.
        const health = yield* ask(`/agents/${nora.customerId}/health`).pipe(
          Effect.repeat({
            schedule: Schedule.spaced("1 second"),
            until: ({ body }) => body?.answers === true,
            times: 60,
          }),
        )
        assert.strictEqual(health.status, 200, health.text)
        assert.strictEqual(health.body.phase, "active")
        assert.isTrue(health.body.answers)
        assert.strictEqual(health.body.process.restarts, 0)
        assert.isAbove(health.body.process.startedAt, Date.now() - 600_000)

        const logs = yield* ask(`/agents/${nora.customerId}/logs?tail=500`)
        assert.strictEqual(logs.status, 200)
        assert.isTrue(logs.body.lines.some(({ text }: { text: string }) => text.includes("nora_bot")))
        assert.isTrue(logs.body.lines.every(({ at }: { at: number }) => at > Date.now() - 600_000))
        assert.lengthOf((yield* ask(`/agents/${nora.customerId}/logs?tail=2`)).body.lines, 2)

        assert.strictEqual((yield* ask(`/agents/${nora.customerId}/logs?previous=true`)).status, 409)
        assert.strictEqual((yield* ask("/agents/nobody/logs")).status, 404)
        assert.strictEqual((yield* ask(`/agents/${nora.customerId}/logs`, "wrong")).status, 401)
      }),
    )

    it.effect("hides every secret that the pod writes", () =>
      Effect.gen(function* () {
        const { ask, inAgent, node, nora } = yield* Stage
        const secrets = Object.values(nora.secrets)
        const foreign = "sk-ant-api03-" + "x9Y8".repeat(12)
        const script = `for s in "$PROXY_TOKEN" "$TELEGRAM_BOT_TOKEN" "$OPENCLAW_GATEWAY_TOKEN" ${foreign}; do echo "told: $s" > /proc/1/fd/1; done; echo told: the end > /proc/1/fd/1`
        yield* inAgent("sh", "-c", script)
        const written = yield* node.kubectl(["logs", `--namespace=${nora.namespace}`, "deploy/openclaw", "--tail=20"])
        for (const secret of [...secrets, foreign]) assert.include(written, secret)
        const { body, text } = yield* ask(`/agents/${nora.customerId}/logs?tail=20`)
        const told = body.lines
          .map((line: { text: string }) => line.text)
          .filter((line: string) => line.startsWith("told: "))
        assert.lengthOf(told, 5)
        for (const secret of [...secrets, foreign]) assert.notInclude(text, secret)
      }),
    )

    it.effect("tells how full its volume is, while it is, and that it no longer is", () =>
      Effect.gen(function* () {
        const { ask, node, nora, tells } = yield* Stage
        const claim = yield* node.api.get(`/api/v1/namespaces/${nora.namespace}/persistentvolumeclaims/openclaw-data`)
        const volume = yield* node.api.get(`/api/v1/persistentvolumes/${claim.spec.volumeName}`)
        const folder: string = volume.spec.local.path
        const { capacity, used } = yield* shrink(folder, 256)
        const ballast = join(folder, "ballast")
        writeFileSync(ballast, Buffer.alloc(Math.floor(0.9 * capacity) - used, 1))
        const full = yield* tells(nora.customerId, "Disk", "False", 120)
        assert.strictEqual(full.phase, "active")
        assert.strictEqual(full.reason, "DiskNearlyFull")
        const { disk } = (yield* ask(`/agents/${nora.customerId}/health`)).body
        assert.strictEqual(disk.capacity, capacity)
        assert.isAbove(disk.used, 0.85 * capacity)
        rmSync(ballast)
        yield* tells(nora.customerId, "Disk", "True", 120)
      }),
    )

    it.effect("tells that it ran out of memory, and starts it again", () =>
      Effect.gen(function* () {
        const { ask, inAgent, nora, tells } = yield* Stage
        // Together they want more than there is; the kernel kills the first process, as it is told that this costs least.
        const hog = "(head -c 90M /dev/zero; sleep 60) | tail -c 90M"
        const hogs = `echo 1000 > /proc/1/oom_score_adj; for i in $(seq 30); do (${hog}) > /dev/null & done; wait`
        yield* Effect.ignore(inAgent("sh", "-c", hogs))
        const out = yield* tells(nora.customerId, "Memory", "False", 90)
        assert.strictEqual(out.reason, "OutOfMemory")
        yield* tells(nora.customerId, "Ready", "True", 120)
        const { process } = (yield* ask(`/agents/${nora.customerId}/health`)).body
        assert.strictEqual(process.restarts, 1)
        assert.strictEqual(process.lastEnd.why, "outOfMemory")
        const before = yield* ask(`/agents/${nora.customerId}/logs?previous=true`)
        assert.strictEqual(before.status, 200)
        assert.include(before.text, "nora_bot")
      }),
    )

    it.effect(
      "tells that Telegram rejects its bot's token, until it has the new one",
      () =>
        Effect.gen(function* () {
          const { nora, platform, telegram, tells } = yield* Stage
          const other = tenant("nora")
          yield* telegram.replace(other.secrets.botToken)
          const rejected = yield* tells(nora.customerId, "BotToken", "False", 240)
          assert.strictEqual(rejected.phase, "active")
          assert.strictEqual(rejected.reason, "BotTokenRejected")
          const renewed = { ...nora, secrets: { ...nora.secrets, botToken: other.secrets.botToken } }
          const versions = { proxyToken: 1, botToken: 2, gatewayToken: 1 }
          yield* platform.order(renewed, { generation: 2, reason: "rotate", desired: { secrets: versions } })
          yield* platform.reaches(nora, "active", 2, 180)
          yield* tells(nora.customerId, "BotToken", "True", 120)
        }),
      600_000,
    )

    it.effect("tells that its software can't be fetched", () =>
      Effect.gen(function* () {
        const { ask, operator, platform, tells } = yield* Stage
        const otto = tenant("otto")
        // Nobody listens there: a name would first be looked up, for as long as the node's resolver likes.
        yield* platform.operator({ ...operator, openclaw: `127.0.0.1:1/openclaw@sha256:${"0".repeat(64)}` })
        yield* platform.order(otto, { generation: 1 })
        const failed = yield* tells(otto.customerId, "Image", "False", 120)
        assert.strictEqual(failed.reason, "ImagePullFailed")
        assert.notInclude(failed.message, "127.0.0.1")
        assert.strictEqual((yield* ask(`/agents/${otto.customerId}/logs`)).status, 409)
      }),
    )
  })
})
