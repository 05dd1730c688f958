/**
 * Telegram as agents see it: a public address beyond the cluster, on 443. Behind it is the embedded Telegram of onboarding,
 * which answers this machine alone, so requests reach it under the name that it knows. And the people who write to bots.
 */
import { createServer, request } from "node:http"
import type { AddressInfo } from "node:net"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

import * as Addresses from "../../packages/operator/test/cluster/node/Addresses.ts"
import { published } from "./Published.ts"

/** Passes requests to onboarding on, as from this machine. */
const front = (onboarding: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly stop: () => void }>((resume) => {
      const server = createServer((incoming, outgoing) => {
        const headers = { ...incoming.headers, host: `127.0.0.1:${onboarding}` }
        const { method, url } = incoming
        const onward = request(
          { host: "127.0.0.1", port: onboarding, method, path: url, headers, agent: false },
          (answer) => {
            outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
            answer.pipe(outgoing)
          },
        )
        onward.on("error", () => outgoing.destroy())
        outgoing.on("close", () => onward.destroy())
        incoming.pipe(onward)
      })
      server.listen(0, Addresses.hostAddress, () =>
        resume(
          Effect.succeed({
            port: (server.address() as AddressInfo).port,
            stop: () => {
              server.closeAllConnections()
              server.close()
            },
          }),
        ),
      )
    }),
    ({ stop }) => Effect.sync(stop),
  )

export interface Person {
  readonly id: number
  readonly first_name: string
  readonly username: string
}

interface Message {
  readonly message_id: number
  readonly from: string
  readonly text: string
}

export const start = Effect.fn("Telegram.start")(function* (folder: string, onboarding: number) {
  const { port } = yield* front(onboarding)
  const listen = `${Addresses.publicAddress}:443`
  yield* published(folder, "telegram", listen, port)
  const dev = `http://127.0.0.1:${onboarding}/dev/telegram`
  const json = <A>(path: string, init: RequestInit = {}) =>
    Effect.promise(() => fetch(`${dev}${path}`, init).then((answer) => answer.json() as Promise<A>))
  const chat = (bot: string, person: Person) =>
    Effect.map(
      json<{ readonly messages: ReadonlyArray<Message> }>(`/chats/${bot}/${person.id}`),
      ({ messages }) => messages,
    )
  /** What a bot wrote to a person after a message of theirs. */
  const after = (bot: string, person: Person, message: number) =>
    Effect.map(chat(bot, person), (messages) =>
      messages.filter(({ from, message_id }) => from === "bot" && message_id > message).map(({ text }) => text),
    )
  /** A person writes; the number of their message. */
  const say = (bot: string, from: Person, text: string) =>
    Effect.map(
      json<{ readonly message_id: number }>("/messages", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ bot, from, text }),
      }),
      ({ message_id }) => message_id,
    )
  return {
    /** For the operator's TELEGRAM_API_ROOT. */
    apiRoot: `http://${listen}/dev/telegram/api`,
    chat,
    say,
    after,
    /** A person writes, and waits for the answer; how long it took. */
    talk: Effect.fn("Telegram.talk")(function* (bot: string, person: Person, text: string, seconds = 60) {
      const begun = performance.now()
      const message = yield* say(bot, person, text)
      const answer = yield* after(bot, person, message).pipe(
        Effect.flatMap(([first]) =>
          first === undefined ? Effect.fail("nothing yet" as const) : Effect.succeed(first),
        ),
        Effect.retry({ schedule: Schedule.spaced("50 millis") }),
        Effect.timeoutOrElse({
          duration: `${seconds} seconds`,
          orElse: () => Effect.die(new Error(`no answer to "${text}" within ${seconds} s`)),
        }),
        Effect.orDie,
      )
      return { answer, millis: Math.round(performance.now() - begun) }
    }),
  }
})

export type Telegram = Effect.Success<ReturnType<typeof start>>
