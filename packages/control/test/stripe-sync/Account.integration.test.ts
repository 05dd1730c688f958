/** Every step of stripe:sync, sent to Stripe's own mock, which refuses what its specification does not know. */
import { startStripeMock } from "@berth/domain/testing/StripeMockServer"
import { assert, layer as suite } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Account from "../../src/live/PaymentsStripe/Account.ts"
import type { Endpoint } from "../../src/stripe-sync/Desired.ts"
import { lineOf, planOf, type Step } from "../../src/stripe-sync/Plan.ts"
import { StripeAccount } from "../../src/stripe-sync/StripeAccount.ts"
import { nothing, wanted } from "./World.ts"

const layer = Layer.unwrap(
  Effect.map(startStripeMock(), (server) =>
    Account.layer({ secretKey: Redacted.make("sk_test_mock"), desired: wanted, server }),
  ),
)

const isEndpoint = (step: Step) => step._tag === "CreateEndpoint"
const fresh = planOf(wanted, nothing).filter((step) => !isEndpoint(step))
const [product] = wanted.products
const [price] = wanted.prices
const { endpoint, portal } = wanted

const changes: ReadonlyArray<Step> =
  product === undefined || price === undefined || endpoint === undefined
    ? []
    : [
        { _tag: "UpdateProduct", product },
        { _tag: "UpdatePrice", id: "price_1", price },
        { _tag: "DeactivatePrice", id: "price_1", of: price.lookupKey },
        { _tag: "UpdatePortal", id: "bpc_1", portal },
        { _tag: "UpdateEndpoint", id: "we_1", endpoint },
        { _tag: "DisableEndpoint", id: "we_1", apiVersion: null },
      ]

suite(layer, { timeout: "120 seconds", excludeTestServices: true })("stripe:sync and Stripe's specification:", (it) => {
  it.effect("what an account holds is read", () =>
    Effect.gen(function* () {
      const account = yield* StripeAccount
      assert.strictEqual(account.mode, "test")
      const found = yield* account.found
      assert.isNotEmpty(found.products)
      assert.isNotEmpty(found.prices)
    }),
  )

  for (const step of [...fresh, ...changes])
    it.effect(`${step._tag}: ${lineOf(step)}`, () =>
      StripeAccount.use((account) => Effect.map(account.apply(step), ({ id }) => assert.isNotEmpty(id))),
    )

  const creating = (apiVersion: string) =>
    StripeAccount.use((account) =>
      account.apply({ _tag: "CreateEndpoint", endpoint: { ...(endpoint as Endpoint), apiVersion }, beside: undefined }),
    )

  it.effect("CreateEndpoint, in the newest API version that the mock's older specification knows", () =>
    Effect.map(creating("2025-09-30.clover"), ({ id }) => assert.isNotEmpty(id)),
  )

  it.effect("CreateEndpoint, in the API version of the client: only its name is too new for the mock", () =>
    Effect.gen(function* () {
      const { message } = yield* Effect.flip(creating(Account.apiVersion))
      assert.include(message, "'api_version' validation failed: value is not in enumeration")
    }),
  )
})
