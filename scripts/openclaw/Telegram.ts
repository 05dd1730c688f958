/** The user's end: one person who writes to the agent's bot in the embedded Telegram, and what they then see. */
import { createServer } from "node:http"
import { TelegramDouble } from "@berth/control/embedded/TelegramDouble"
import { apiRoot, routes } from "@berth/control/embedded/TelegramDouble/Routes"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"

const bot = "e2e_agent_bot"
export const person = { id: 4242, first_name: "Ada", username: "ada" }

const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 })),
  Layer.provideMerge(TelegramDouble.layer),
  Layer.provide(KeyValueStore.layerMemory),
  Layer.provide(FetchHttpClient.layer),
)

export const start = Effect.gen(function* () {
  const context = yield* Layer.build(server)
  const telegram = Context.get(context, TelegramDouble)
  const origin = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  const { token } = yield* telegram.createBot(bot)
  const messages = Effect.map(
    telegram.world,
    (world) => world.chats.find((chat) => chat.bot === bot && chat.person.id === person.id)?.messages ?? [],
  )
  return {
    apiRoot: apiRoot(origin),
    token,
    say: (text: string) => telegram.say(bot, person, text),
    /** The number of the newest message, whoever wrote it. */
    newest: Effect.map(messages, (all) => all.at(-1)?.message_id ?? 0),
    /** What the bot wrote after a message, as it stands now. */
    after: (message: number) =>
      Effect.map(messages, (all) =>
        all.filter((one) => one.from === "bot" && one.message_id > message).map((one) => one.text),
      ),
  }
})

export type Telegram = Effect.Success<typeof start>
