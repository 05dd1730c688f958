/** The operator by itself: `npm run start:operator`. With no variable given it is all embedded and builds a sample agent. */
import * as Embedded from "@berth/domain/Embedded"
import { launch } from "@berth/domain/Launch"
import * as Listen from "@berth/domain/Listen"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as NodeServices from "@effect/platform-node/NodeServices"
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
    const ports = yield* Ports.embedded
    const identity = yield* LocalFolder.identity
    const open = { ops: `http://127.0.0.1:${yield* Listen.port("OPERATOR_OPS_PORT", 9095)}/metrics` }
    const banner = Console.log(Embedded.banner({ title: "operator", ports, open, tryIt: [] }))
    const alone = ports.redis !== undefined
    return Layer.mergeAll(Operator.layer, Operator.ops, alone ? Narrator.layer : Layer.empty).pipe(
      Layer.tap(() => Effect.andThen(banner, alone ? Effect.flatMap(pushSample(identity), Console.log) : Effect.void)),
      Layer.provide(Ports.layer(ports, identity)),
      Layer.provide(Settings.layer),
    )
  }),
).pipe(Layer.provide(NodeServices.layer))

launch(Main)
