/** `/dev/stripe` on the main server: what the embedded Stripe holds, and the page where it sends customers to pay. */
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { StripeDouble } from "./StripeDouble.ts"
import { checkoutPage, closedPage } from "./StripeDouble/CheckoutPage.ts"
import { overviewPage } from "./StripeDouble/OverviewPage.ts"
import type { Session } from "./StripeDouble/World.ts"

const html = (text: string, status = 200) =>
  HttpServerResponse.text(text, { status, contentType: "text/html; charset=utf-8" })

const leave = (url: string, session: Session) =>
  HttpServerResponse.redirect(url.replace("{CHECKOUT_SESSION_ID}", session.id), { status: 303 })

const show = (found: Option.Option<Session>, notice?: string) => {
  const session = Option.getOrUndefined(found)
  if (session === undefined) return html(closedPage(session), 404)
  return html(session.status === "open" ? checkoutPage(session, notice) : closedPage(session))
}

export const layer: Layer.Layer<never, never, HttpRouter.HttpRouter | StripeDouble> = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const double = yield* StripeDouble
    const id = Effect.map(HttpRouter.params, (params) => params["id"] ?? "")
    const page = "/dev/stripe/checkout/:id"
    const found = Effect.flatMap(id, double.checkout)
    yield* router.add(
      "GET",
      "/dev/stripe",
      Effect.map(double.world, (world) => html(overviewPage(world))),
    )
    yield* router.add(
      "GET",
      page,
      Effect.map(found, (one) => show(one)),
    )
    yield* router.add(
      "POST",
      `${page}/pay`,
      Effect.map(Effect.flatMap(id, double.pay), (one) =>
        Option.isSome(one) && one.value.status === "complete" ? leave(one.value.successUrl, one.value) : show(one),
      ),
    )
    yield* router.add(
      "POST",
      `${page}/decline`,
      Effect.map(found, (one) => show(one, "Your card was declined. Nothing was charged; try again or cancel.")),
    )
    yield* router.add(
      "POST",
      `${page}/cancel`,
      Effect.map(found, (one) => (Option.isSome(one) ? leave(one.value.cancelUrl, one.value) : show(one))),
    )
  }),
)
