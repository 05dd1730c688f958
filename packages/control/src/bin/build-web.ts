/** `npm run build:web`: builds the pages into dist/web and prints how large each part is. */
import { runMain } from "@berth/domain/Launch"
import { NodeServices } from "@effect/platform-node"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as WebBundle from "../pages/WebBundle.ts"

runMain(
  WebBundle.build({ isQuiet: false }).pipe(
    Effect.tap(({ root, builtInMs }) => Console.log(`pages built in ${builtInMs} ms: ${root}`)),
    Effect.provide(NodeServices.layer),
  ),
)
