/** The operator by itself: `npm run start:operator`. With no variable given it is all embedded and builds a sample agent. */
import { launch } from "@berth/domain/Launch"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Narrator from "../embedded/Narrator.ts"
import { pushSample } from "../embedded/Sample.ts"
import * as Operator from "../Operator.ts"
import { Settings } from "../Settings.ts"
import * as Ports from "./Ports.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const missing = yield* Ports.embedded
    const key = yield* Ports.identity
    const ports = Object.entries(missing).map(([name, variable]) =>
      variable === undefined ? `  ${name}: real` : `  ${name}: embedded (${variable} makes it real)`,
    )
    const alone = missing.jobs !== undefined
    const sample = alone ? Layer.effectDiscard(Effect.tap(pushSample(key), Console.log)) : Layer.empty
    return Layer.mergeAll(Operator.layer, Operator.ops, alone ? Narrator.layer : Layer.empty, sample).pipe(
      Layer.provide(Ports.layer(missing, key)),
      Layer.provide(Settings.layer),
      Layer.tap(() => Console.log(["operator", ...ports].join("\n"))),
    )
  }),
)

launch(Main)
