/** `npm run demo`: tells the story of a sold agent against a running Berth, or against one that it starts for itself. */
import { randomInt } from "node:crypto"
import { runMain } from "@berth/domain/Launch"
import * as EmbeddedPostgres from "@berth/domain/live/EmbeddedPostgres"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Instance from "../demo/Instance.ts"
import { tellStory } from "../demo/Story.ts"
import { variables } from "./Place.ts"

/** An instance of the demo's own, with data of its own, on ports that nobody is likely to use. */
const own = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "berth-demo-" })
  // Runs after the instance has stopped: as root its data may lie elsewhere.
  yield* Effect.addFinalizer(() => Effect.ignore(EmbeddedPostgres.erase({ folder: `${folder}/postgres` })))
  const base = randomInt(20_000, 30_000)
  const origin = `http://127.0.0.1:${base}`
  yield* Console.log(`Nothing answers yet, so a Berth starts at ${origin}`)
  // All embedded, whatever the environment says: a demo has no business at real services.
  const nothingReal = Object.fromEntries(
    Object.values(variables)
      .flat()
      .map((variable) => [variable, ""]),
  )
  yield* Instance.start({
    ...nothingReal,
    BERTH_ENV: "development",
    BERTH_DIR: folder,
    PORT: String(base),
    PROXY_PORT: String(base + 1),
    INTERNAL_PORT: String(base + 2),
    OPS_PORT: String(base + 3),
  })
  yield* Instance.awaitReady(origin, "60 seconds")
  return { origin, proxyOrigin: `http://127.0.0.1:${base + 1}` }
})

const demo = Command.make(
  "demo",
  {
    url: Flag.String("url").pipe(
      Flag.withDescription("Web and api of a running Berth with embedded services"),
      Flag.withDefault("http://127.0.0.1:3000"),
    ),
    proxyUrl: Flag.String("proxy-url").pipe(
      Flag.withDescription("Its token-proxy, without /v1"),
      Flag.withDefault("http://127.0.0.1:8080"),
    ),
  },
  Effect.fnUntraced(function* ({ url, proxyUrl }) {
    const at = (yield* Instance.answers(url)) ? { origin: url, proxyOrigin: proxyUrl } : yield* own
    const botUsername = `alice_${randomInt(10 ** 6)}_bot`
    yield* tellStory({ ...at, botUsername, toTheEnd: true })
    yield* Console.log("The story was told to its end.")
  }, Effect.scoped),
).pipe(Command.withDescription("Tells the story of a sold agent, one line a step with its time"))

runMain(
  Command.run(demo, { version: "0.1.0" }).pipe(
    Effect.provide([NodeServices.layer, FetchHttpClient.layer, NodeSocket.layerWebSocketConstructor]),
  ),
)
