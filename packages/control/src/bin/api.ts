/** The api by itself: `npm run start:api`. With no variable given it is all embedded and prints a customer to try. */
import { launch } from "@berth/domain/Launch"
import * as Listen from "@berth/domain/Listen"
import * as Ops from "@berth/domain/Ops"
import * as Telemetry from "@berth/domain/Telemetry"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Api from "../api/Server.ts"
import * as Billing from "../billing/Billing.ts"
import { Checkout } from "../billing/Checkout.ts"
import * as LoopbackOnly from "../embedded/LoopbackOnly.ts"
import * as ProvisionRoutes from "../provision/ProvisionRoutes.ts"
import * as Sample from "./api/Sample.ts"
import * as Exports from "./Exports.ts"
import * as Inspection from "./Inspection.ts"
import * as Keys from "./Keys.ts"
import * as Payments from "./Payments.ts"
import * as Place from "./Place.ts"
import * as Stores from "./Stores.ts"

const Main = Layer.unwrap(
  Effect.gen(function* () {
    const place = yield* Place.read(
      ["postgres", "redis", "stripe", "seal", "bearer", "inspection", "exports", "opener", "links", "address"],
      "API_PORT",
      3001,
    )
    const internal = { variable: "INTERNAL_PORT", port: yield* Listen.port("INTERNAL_PORT", 3011) }
    const at = `http://127.0.0.1:${internal.port}`
    return Layer.mergeAll(
      Listen.serve(Layer.mergeAll(Api.routes, Payments.pages(place), LoopbackOnly.layer), place),
      Listen.serve(Layer.provide(ProvisionRoutes.layer, Keys.serviceBearer), internal),
      Ops.layer({ variable: "API_OPS_PORT", port: 9091, ready: Api.ready }),
    ).pipe(
      Layer.tap(() =>
        Place.greet("api", place, { docs: `${place.local}/docs`, internal: at }, Sample.tryIt(place, at)),
      ),
      Layer.provide(Layer.mergeAll(Api.callers, Checkout.layer).pipe(Layer.provideMerge(Billing.purchases))),
      Layer.provide(Layer.mergeAll(Place.site(place), Exports.layer(place), Inspection.layer)),
      Layer.provide(Layer.mergeAll(Stores.layer(place), Place.site(place), Payments.layer(place), Keys.sealer)),
    )
  }),
)

launch(Main.pipe(Layer.provide([Place.platform, Telemetry.layer("api")])))
