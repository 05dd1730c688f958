/**
 * What each service may do in Redis: the commands that it runs, also from within scripts, and the keys and channels that it
 * touches; nothing else, and without a login nothing at all. In the syntax of Redis 6.2, which can't part reading from
 * writing: who may write any key may write all of its own. Pure.
 */
import { createHash } from "node:crypto"
import * as Redacted from "effect/Redacted"

export const redisUsers = ["proxy", "api", "onboarding", "billing", "operator", "ops", "admin"] as const
export type RedisUser = (typeof redisUsers)[number]

interface Rights {
  readonly commands: ReadonlyArray<string>
  readonly keys: ReadonlyArray<string>
  readonly channels?: ReadonlyArray<string>
}

const list = (words: string): ReadonlyArray<string> => words.split(" ")

/** What a client asks to know that its connection works. */
const connection = list("hello ping info")
const scripts = list("eval evalsha time")
const jobKeys = list("operator:jobs operator:jobs:taken operator:jobs:dead")
const customerChannels = ["customer:*"]

const join = (...all: ReadonlyArray<Partial<Rights>>): Rights => ({
  commands: [...new Set(all.flatMap(({ commands }) => commands ?? []))],
  keys: [...new Set(all.flatMap(({ keys }) => keys ?? []))],
  channels: [...new Set(all.flatMap(({ channels }) => channels ?? []))],
})

/** Allowances, as the scripts of `live/AllowanceRedis/` keep them. */
const allowances = join(
  { commands: scripts },
  { commands: list("get set del exists hget hgetall hmget hset hdel hexists hincrby hvals") },
  { commands: list("zadd zrem zrangebyscore xadd xlen xrange") },
  { keys: list("limit:{*} holds:{*} holds settled:{*}:* token:* usage:events usage:epoch switches") },
)

/** Of everyone but `admin`, who is for people, not for services, and may do everything. */
export const redisRights: Readonly<Record<Exclude<RedisUser, "admin">, Rights>> = {
  proxy: join(allowances, { commands: ["expire"], keys: ["calibration:{*}"] }),
  /** Shows balances, follows and announces customers' events. */
  api: {
    commands: [...scripts, ...list("hgetall publish subscribe unsubscribe")],
    keys: ["limit:{*}"],
    channels: customerChannels,
  },
  onboarding: { commands: ["publish"], keys: [], channels: customerChannels },
  /** Keeps allowances, records usage, hands jobs over (and looks how long the line is), reads reports, announces events. */
  billing: join(
    allowances,
    { commands: list("xtrim xrevrange") },
    { commands: list("lpush llen"), keys: jobKeys },
    { commands: list("multi exec xautoclaim xreadgroup xgroup xack xdel"), keys: ["agent:events"] },
    { commands: ["publish"], channels: customerChannels },
  ),
  operator: join(
    { commands: [...scripts, ...list("lpush blmove lmove lrem ltrim llen")], keys: jobKeys },
    { commands: ["xadd"], keys: ["agent:events"] },
  ),
  /** Throws switches, and drops and rebuilds an allowance. */
  ops: allowances,
}

const ruleOf = ({ commands, keys, channels = [] }: Rights): string =>
  [
    ...keys.map((key) => `~${key}`),
    ...channels.map((channel) => `&${channel}`),
    "-@all",
    ...[...connection, ...commands].map((command) => `+${command}`),
  ].join(" ")

/** A password is written as its SHA-256, so the file holds no secret that can be used. */
const loginOf = (password: Redacted.Redacted<string> | undefined): string =>
  password === undefined ? "off" : `on #${createHash("sha256").update(Redacted.value(password)).digest("hex")}`

/** The ACL file: one line a user. Who is given no password can't log in, and neither can anybody without a name. */
export const usersAcl = (passwords: Readonly<Partial<Record<RedisUser, Redacted.Redacted<string>>>>): string =>
  [
    "user default off resetkeys resetchannels -@all",
    ...redisUsers.map((user) => {
      const rule = user === "admin" ? "~* &* +@all" : ruleOf(redisRights[user])
      return `user ${user} ${loginOf(passwords[user])} resetkeys resetchannels ${rule}`
    }),
    "",
  ].join("\n")
