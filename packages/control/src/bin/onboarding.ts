/** Onboarding by itself: `npm run start:onboarding`. With no variable given it is all embedded and prints how to talk to it. */
import { launch } from "@berth/domain/Launch"
import * as Listen from "@berth/domain/Listen"
import * as Ops from "@berth/domain/Ops"
import * as Telemetry from "@berth/domain/Telemetry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Api from "../api/Server.ts"
import * as LoopbackOnly from "../embedded/LoopbackOnly.ts"
import * as Onboarding from "../onboarding/Server.ts"
import * as Conversations from "./onboarding/Conversations.ts"
import * as Sample from "./onboarding/Sample.ts"
import * as Payments from "./Payments.ts"
import * as Place from "./Place.ts"
import * as Telegram from "./Telegram.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const place = yield* Place.read(Conversations.connections, "ONBOARDING_PORT", 3002)
    const pages = Layer.mergeAll(Payments.pages(place), Telegram.pages(place), LoopbackOnly.layer)
    return Layer.mergeAll(
      Listen.serve(Layer.merge(Onboarding.routes, pages), place),
      Onboarding.workers,
      Ops.layer({ variable: "ONBOARDING_OPS_PORT", port: 9092, ready: Api.ready }),
    ).pipe(
      Layer.tap(() =>
        Place.greet("onboarding", place, { chat: `${place.local}/api/conversations` }, Sample.tryIt(place)),
      ),
      Layer.provide(Conversations.layer(place)),
    )
  }),
)

launch(Main.pipe(Layer.provide([Place.platform, Telemetry.layer("onboarding")])))
