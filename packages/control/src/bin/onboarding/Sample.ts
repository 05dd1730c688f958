/** Something to try when onboarding runs alone: a session and its conversation. */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Sessions } from "../../api/Sessions.ts"
import { Onboarding } from "../../onboarding/Onboarding.ts"
import type { Settings } from "./Ports.ts"

/** The lines that say how. */
const tryIt = Effect.fn("Sample.tryIt")(function* ({ local }: Settings) {
  const { accountId, token } = yield* (yield* Sessions).open
  const { id } = yield* (yield* Onboarding).open(accountId)
  return [
    `customer ${accountId}: talk to @berth_bot at ${local}/dev/telegram?bot=berth_bot, or`,
    `  curl ${local}/api/conversations/${id}/messages -H 'authorization: Bearer ${Redacted.value(token)}' \\`,
    `    -H 'content-type: application/json' -d '{"clientId":"1","text":"Help me write Python and review my PRs"}'`,
  ].join("\n")
})

/** Prints them, if nothing real is behind it. */
export const layer = (settings: Settings) => {
  const { postgres, telegram } = settings.embedded
  const isAlone = postgres !== undefined && telegram !== undefined
  return Layer.effectDiscard(isAlone ? Effect.flatMap(tryIt(settings), Console.log) : Effect.void)
}
