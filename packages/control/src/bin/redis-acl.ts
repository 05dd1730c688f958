/** `npm run redis:acl`: prints Redis' ACL file, one line a service, with exactly the rights that each needs. */
import { runMain } from "@berth/domain/Launch"
import { type RedisUser, redisUsers, usersAcl } from "@berth/domain/RedisRights"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Command } from "effect/cli"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"

const variables: Readonly<Record<RedisUser, string>> = {
  proxy: "REDIS_PROXY_PASSWORD",
  api: "REDIS_API_PASSWORD",
  onboarding: "REDIS_ONBOARDING_PASSWORD",
  billing: "REDIS_BILLING_PASSWORD",
  operator: "REDIS_OPERATOR_PASSWORD",
  ops: "REDIS_OPS_PASSWORD",
  admin: "REDIS_ADMIN_PASSWORD",
}

const print = Command.make(
  "redis:acl",
  {},
  Effect.fnUntraced(function* () {
    const passwords: Partial<Record<RedisUser, Redacted.Redacted<string>>> = {}
    for (const user of redisUsers) {
      const given = yield* Config.option(Config.Redacted(variables[user]))
      if (Option.isSome(given) && Redacted.value(given.value) !== "") passwords[user] = given.value
    }
    const without = redisUsers.filter((user) => passwords[user] === undefined).map((user) => variables[user])
    yield* Console.log(usersAcl(passwords).trimEnd())
    if (without.length > 0) yield* Console.error(`Not given, so these can't log in: ${without.join(", ")}`)
  }),
).pipe(
  Command.withDescription(
    "Prints Redis' ACL file (aclfile), one line a service; it holds the SHA-256 of each REDIS_<SERVICE>_PASSWORD",
  ),
)

runMain(Command.run(print, { version: "0.1.0" }).pipe(Effect.provide(NodeServices.layer)))
