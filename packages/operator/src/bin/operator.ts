/** The operator by itself: `npm run start:operator`. With no variable given it is all embedded and builds a sample agent. */
import * as Embedded from "@berth/domain/Embedded"
import { launch } from "@berth/domain/Launch"
import * as Listen from "@berth/domain/Listen"
import * as Telemetry from "@berth/domain/Telemetry"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import { ServiceBearer } from "@berth/domain/ServiceBearer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Inspect from "../Inspect.ts"
import * as InspectionServer from "../InspectionServer.ts"
import * as Narrator from "../embedded/Narrator.ts"
import { pushSample } from "../embedded/Sample.ts"
import * as Operator from "../Operator.ts"
import { Settings } from "../Settings.ts"
import * as Exports from "./Exports.ts"
import * as Ports from "./Ports.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const ports = yield* Ports.embedded
    const identity = yield* LocalFolder.identity
    const here = (port: number) => `http://127.0.0.1:${port}`
    const open = {
      agents: `${here(yield* Listen.port(InspectionServer.listens.variable, InspectionServer.listens.port))}/agents/<id>/health`,
      ops: `${here(yield* Listen.port("OPERATOR_OPS_PORT", 9095))}/metrics`,
    }
    const bearer = ServiceBearer.layerOf(yield* LocalFolder.operatorToken)
    const banner = Console.log(Embedded.banner({ title: "operator", ports, open, tryIt: [] }))
    const alone = ports.redis !== undefined
    const served = Layer.merge(Operator.ops, InspectionServer.layer.pipe(Layer.provide([Inspect.layer, bearer])))
    return Layer.merge(served.pipe(Layer.provideMerge(Operator.layer)), alone ? Narrator.layer : Layer.empty).pipe(
      Layer.tap(() => Effect.andThen(banner, alone ? Effect.flatMap(pushSample(identity), Console.log) : Effect.void)),
      Layer.provide([Ports.layer(ports, identity), Exports.layer]),
      Layer.provide(Settings.layer),
    )
  }),
).pipe(Layer.provide(NodeServices.layer))

launch(Main.pipe(Layer.provide(Telemetry.layer("operator"))))
