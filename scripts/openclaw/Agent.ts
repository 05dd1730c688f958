/**
 * The real OpenClaw as an agent's pod runs it: the operator's own configuration, its environment, a user who is not root,
 * a state folder that OpenClaw makes itself. Differences: ports of this machine, and whatever a row asks for.
 */
import { execFile } from "node:child_process"
import { chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { AgentSpec } from "@berth/operator/Agent"
import { openClawConfig } from "@berth/operator/desired/OpenClawConfig"
import { secretKeys } from "@berth/operator/desired/Names"
import { embedded } from "@berth/operator/Settings"
import { tiers } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import * as Child from "./Child.ts"
import { program } from "./Install.ts"

/** As in the pod. */
const user = 10_001

export interface AgentOptions {
  /** Its own, under the stage's. */
  readonly folder: string
  readonly port: number
  readonly proxyUrl: string
  readonly proxyToken: string
  readonly telegramApiRoot: string
  readonly botToken: string
  readonly allowedUserId: string
  /** Laid over the operator's configuration, member by member. */
  readonly changes: object
  readonly compileCache: string
}

const spec = (allowedUserId: string): AgentSpec => ({
  tier: "pro",
  models: [tiers.pro.models[0] ?? "kimi-k2.6", ...tiers.pro.models.slice(1)],
  imageChannel: "stable",
  telegram: { botUsername: "e2e_agent_bot", allowedUserIds: [allowedUserId] },
  suspended: [],
  secrets: { proxyToken: 1, botToken: 1, gatewayToken: 1 },
  generation: 1,
})

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const merged = (base: unknown, over: unknown): unknown =>
  isObject(base) && isObject(over)
    ? Object.fromEntries(
        [...new Set([...Object.keys(base), ...Object.keys(over)])].map((key) => [
          key,
          key in over ? merged(base[key], over[key]) : base[key],
        ]),
      )
    : over

const own = (path: string): string => {
  mkdirSync(path, { recursive: true })
  if (process.getuid?.() === 0) chownSync(path, user, user)
  return path
}

export const start = Effect.fnUntraced(function* (options: AgentOptions) {
  const { botToken, compileCache, folder, port, proxyToken, proxyUrl, telegramApiRoot } = options
  const shipped = openClawConfig(spec(options.allowedUserId), { ...embedded, proxyUrl, telegramApiRoot })
  const config = join(own(folder), "openclaw.json")
  const local = merged(shipped, { gateway: { port, bind: "loopback" } })
  writeFileSync(config, JSON.stringify(merged(local, options.changes), undefined, 2), { mode: 0o444 })
  const home = own(join(folder, "data"))
  const log = join(folder, "openclaw.log")
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    OPENCLAW_STATE_DIR: join(home, "state"),
    OPENCLAW_CONFIG_PATH: config,
    OPENCLAW_CONFIG_READONLY: "1",
    NODE_COMPILE_CACHE: own(compileCache),
    [secretKeys.proxyToken]: proxyToken,
    [secretKeys.botToken]: botToken,
    [secretKeys.gatewayToken]: "e2e-gateway-token",
  }
  const asUser = process.getuid?.() === 0 ? user : undefined
  const args = [program, "gateway", "run"]
  const child = yield* Child.start({ args, cwd: home, env, log, uid: asUser, patienceMillis: 30_000 })
  const answers = (path: string) =>
    Effect.promise(() =>
      fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(5_000) }).then(
        (response) => response.status === 200,
        () => false,
      ),
    )
  for (let waited = 0; !(yield* answers("/readyz")); waited++) {
    if (!child.alive() || waited > 600)
      return yield* Effect.die(`OpenClaw did not start:\n${readFileSync(log, "utf8").slice(-3_000)}`)
    yield* Effect.sleep(500)
  }
  return {
    ...child,
    log,
    /** A command of OpenClaw's own, run against this agent; what it printed. */
    command: (...args: ReadonlyArray<string>) =>
      Effect.callback<string>((resume) => {
        execFile(
          process.execPath,
          [program, ...args],
          { cwd: home, env, timeout: 60_000, ...(asUser === undefined ? {} : { uid: asUser, gid: asUser }) },
          (error, stdout, stderr) =>
            resume(
              error === null ? Effect.succeed(stdout) : Effect.die(`openclaw ${args.join(" ")}: ${stdout}${stderr}`),
            ),
        )
      }),
  }
})

export type Agent = Effect.Success<ReturnType<typeof start>>
