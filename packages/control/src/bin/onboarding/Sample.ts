/** Something to try when onboarding runs alone: a session and its conversation. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Sessions } from "../../api/Sessions.ts"
import { Onboarding } from "../../onboarding/Onboarding.ts"
import type { Place } from "../Place.ts"

/** The lines that say how, if nothing real is behind it. */
export const tryIt = Effect.fn("Sample.tryIt")(function* ({ embedded, local }: Place<"postgres" | "telegram">) {
  if (embedded.postgres === undefined || embedded.telegram === undefined) return []
  const { accountId, token } = yield* (yield* Sessions).open
  const { id } = yield* (yield* Onboarding).open(accountId)
  return [
    `talk to @berth_bot at ${local}/dev/telegram?bot=berth_bot, or`,
    `curl ${local}/api/conversations/${id}/messages -H 'authorization: Bearer ${Redacted.value(token)}' \\`,
    `  -H 'content-type: application/json' -d '{"clientId":"1","text":"Help me write Python and review my PRs"}'`,
  ]
})
