import { assert, it } from "@effect/vitest"
import { eventTypes } from "../../src/billing/EventTypes.ts"
import { routeOf } from "../../src/billing/StripeEvents.ts"

it("every type of event that the endpoint asks for has a rule, and none is without", () => {
  for (const type of eventTypes) assert.notStrictEqual(routeOf(type), "none", type)
  for (const type of ["invoice.upcoming", "charge.updated", "customer.subscription.created", ""])
    assert.strictEqual(routeOf(type), "none", type)
})
