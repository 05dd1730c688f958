/** A Bot API that knows one bot at a time: every other token it rejects, also in the middle of a long poll. */
import * as Effect from "effect/Effect"
import { serve } from "../FakeServers.ts"

const pollMillis = 1_000

export const bot = (token: string) =>
  Effect.gen(function* () {
    const state = { token }
    const origin = yield* serve((request, response) => {
      const [, asked = "", method = ""] = /^\/bot([^/]+)\/(\w+)/.exec(request.url ?? "") ?? []
      const answer = (status: number, body: object) => {
        response.writeHead(status, { "content-type": "application/json" })
        response.end(JSON.stringify(body))
      }
      const result = () => {
        if (asked !== state.token) return answer(401, { ok: false, error_code: 401, description: "Unauthorized" })
        if (method === "getMe")
          return answer(200, { ok: true, result: { id: 4242, is_bot: true, first_name: "Nora", username: "nora_bot" } })
        answer(200, { ok: true, result: method === "getUpdates" ? [] : true })
      }
      if (method === "getUpdates") setTimeout(result, pollMillis)
      else result()
    })
    return {
      port: Number(new URL(origin).port),
      /** BotFather gives the bot another token; the one of before is worth nothing. */
      replace: (other: string) => Effect.sync(() => void (state.token = other)),
    }
  })
