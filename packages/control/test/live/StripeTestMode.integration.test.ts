/**
 * The contract of Payments at Stripe itself, in test mode (docs/runbooks/stripe.md):
 * `STRIPE_SECRET_KEY=sk_test_… npm test -- packages/control/test/live/StripeTestMode`. Without a key it is skipped by name.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { assert } from "vitest"
import * as Account from "../../src/live/PaymentsStripe/Account.ts"
import * as Redacted from "effect/Redacted"
import { sync } from "../../src/stripe-sync/Sync.ts"
import { lifeContract, paymentsContract } from "../../src/testing/PaymentsContract.ts"
import { wantedAt } from "../stripe-sync/World.ts"
import * as StripeTestMode from "./StripeTestMode.ts"

const key = process.env["STRIPE_SECRET_KEY"] ?? ""
/** A live key must never come near it. */
const isTestKey = /^(?:sk|rk)_test_/.test(key)
const run = Date.now().toString(36)

if (isTestKey) {
  const layer = StripeTestMode.layer(key).pipe(Layer.provide(NodeServices.layer))
  paymentsContract("Stripe's test mode", layer, undefined, run)
  lifeContract("Stripe's test mode", layer, StripeTestMode.stage, run)
}

describe.skipIf(!isTestKey)("stripe:sync at Stripe's test mode (needs STRIPE_SECRET_KEY=sk_test_…)", () => {
  it.live(
    "a second run has nothing to do",
    () =>
      Effect.gen(function* () {
        const desired = wantedAt("http://berth.test")
        const account = Account.layer({ secretKey: Redacted.make(key), desired })
        const once = sync(desired, { apply: true, secretFile: undefined }).pipe(
          Effect.provide([account, NodeServices.layer]),
        )
        yield* once
        assert.deepEqual((yield* once).steps, [])
      }),
    60_000,
  )
})
