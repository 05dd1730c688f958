/** A Stripe account as `npm run stripe:sync` sees it: what it holds for Berth, and one step of a plan carried out. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import type { Found, FoundPrice, Step } from "./Plan.ts"

/** Stripe did not answer or refused; what was done before stands, and the next run goes on from there. */
export class StripeAccountFailed extends Schema.TaggedError<StripeAccountFailed>()("StripeAccountFailed", {
  message: Schema.String,
}) {}

export interface Done {
  readonly id: string
  /** Of a new endpoint: Stripe never tells it again. */
  readonly secret: Redacted.Redacted<string> | undefined
}

export class StripeAccount extends Context.Service<
  StripeAccount,
  {
    readonly mode: "live" | "test"
    /** The API version in which events are wanted: the one that billing speaks. */
    readonly apiVersion: string
    /** All of it, whatever pages Stripe gives. */
    readonly found: Effect.Effect<Found, StripeAccountFailed>
    apply(step: Step): Effect.Effect<Done, StripeAccountFailed>
  }
>()("@berth/control/StripeAccount") {
  /** An account that does as it is told, beginning with what is given. */
  static readonly layerMemory = (beginning: Found, apiVersion: string): Layer.Layer<StripeAccount> =>
    Layer.effect(
      StripeAccount,
      Effect.gen(function* () {
        const state = yield* Ref.make({ found: beginning, next: 1 })
        return StripeAccount.of({
          mode: "test",
          apiVersion,
          found: Effect.map(Ref.get(state), ({ found }) => found),
          apply: (step) =>
            Ref.modify(state, ({ found, next }) => {
              const id = "id" in step ? step.id : `made_${next}`
              const secret = step._tag === "CreateEndpoint" ? Redacted.make(`whsec_${next}`) : undefined
              return [
                { id, secret },
                { found: after(found, step, id), next: next + 1 },
              ] as const
            }),
        })
      }),
    )
}

const replaced = <A extends { readonly id: string }>(all: ReadonlyArray<A>, id: string, change: (one: A) => A) =>
  all.map((one) => (one.id === id ? change(one) : one))

/** What an account holds once a step is done, as Stripe does it. Pure. */
export const after = (found: Found, step: Step, id: string): Found => {
  switch (step._tag) {
    case "CreateProduct":
      return { ...found, products: [...found.products, { ...step.product, active: true }] }
    case "UpdateProduct":
      return {
        ...found,
        products: replaced(found.products, step.product.id, ({ metadata }) => ({
          ...step.product,
          metadata: { ...metadata, ...step.product.metadata },
          active: true,
        })),
      }
    case "CreatePrice": {
      const { lookupKey } = step.price
      const without = found.prices.map((one): FoundPrice =>
        one.lookupKey === lookupKey ? { ...one, lookupKey: null } : one,
      )
      return { ...found, prices: [...without, { ...step.price, id, active: true, currency: "usd" }] }
    }
    case "UpdatePrice":
      return {
        ...found,
        prices: replaced(found.prices, step.id, (one) => ({
          ...one,
          active: true,
          metadata: { ...one.metadata, ...step.price.metadata },
        })),
      }
    case "DeactivatePrice":
      return { ...found, prices: replaced(found.prices, step.id, (one) => ({ ...one, active: false })) }
    case "CreatePortal":
      return { ...found, portals: [...found.portals, { ...step.portal, id, active: true }] }
    case "UpdatePortal":
      return { ...found, portals: replaced(found.portals, step.id, () => ({ ...step.portal, id, active: true })) }
    case "CreateEndpoint":
      return { ...found, endpoints: [...found.endpoints, { ...step.endpoint, id, enabled: true }] }
    case "UpdateEndpoint":
      return {
        ...found,
        endpoints: replaced(found.endpoints, step.id, (one) => ({
          ...one,
          events: step.endpoint.events,
          enabled: true,
        })),
      }
    case "DisableEndpoint":
      return { ...found, endpoints: replaced(found.endpoints, step.id, (one) => ({ ...one, enabled: false })) }
  }
}
