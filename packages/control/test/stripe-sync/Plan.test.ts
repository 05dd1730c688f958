import { assert, describe, it } from "@effect/vitest"
import fc from "fast-check"
import { type Found, type FoundPrice, lineOf, planOf, type Step } from "../../src/stripe-sync/Plan.ts"
import { after } from "../../src/stripe-sync/StripeAccount.ts"
import { apiVersion, nothing, wanted, wantedAt } from "./World.ts"

let made = 0
const applied = (found: Found, steps: ReadonlyArray<Step>): Found =>
  steps.reduce((state, step) => after(state, step, "id" in step ? step.id : `made_${made++}`), found)

/** An account in which everything is as it should be. */
const complete = applied(nothing, planOf(wanted, nothing))

const tagsOf = (found: Found, desired = wanted) => planOf(desired, found).map(({ _tag }) => _tag)

const withPrice = (lookupKey: string, change: (price: FoundPrice) => FoundPrice): Found => ({
  ...complete,
  prices: complete.prices.map((price) => (price.lookupKey === lookupKey ? change(price) : price)),
})

const pro = "berth_tier_pro"
const proKey = "berth_pro_monthly"

describe("the plan", () => {
  it("makes everything in an empty account, and then there is nothing to do", () => {
    const steps = planOf(wanted, nothing)
    const count = (tag: Step["_tag"]) => steps.filter(({ _tag }) => _tag === tag).length
    assert.deepEqual(
      [count("CreateProduct"), count("CreatePrice"), count("CreatePortal"), count("CreateEndpoint")],
      [5, 5, 1, 1],
    )
    assert.deepEqual(tagsOf(complete), [])
  })

  it("asks the catalogue's prices", () => {
    const lines = planOf(wanted, nothing).map(lineOf)
    assert.include(lines, "+ price berth_pro_monthly: $49.00 a month")
    assert.include(lines, "+ price berth_pack_1m: $10.00")
  })

  it("of another amount makes a price that takes the key over, and then switches the old one off", () => {
    const cheaper = withPrice(proKey, (price) => ({ ...price, cents: 3_900 }))
    const old = cheaper.prices.find(({ cents }) => cents === 3_900)
    const steps = planOf(wanted, cheaper)
    assert.deepEqual(
      steps.map(({ _tag }) => _tag),
      ["CreatePrice", "DeactivatePrice"],
    )
    const after = applied(cheaper, steps)
    assert.deepInclude(
      after.prices.find(({ id }) => id === old?.id),
      { active: false, lookupKey: null, cents: 3_900 },
    )
    assert.deepInclude(
      after.prices.find(({ lookupKey }) => lookupKey === proKey),
      { active: true, cents: 4_900 },
    )
    // A run that was cut off between the two goes on.
    assert.deepEqual(tagsOf(applied(cheaper, steps.slice(0, 1))), ["DeactivatePrice"])
  })

  it("makes another price for another currency, interval or product as well", () => {
    const changes: ReadonlyArray<Partial<FoundPrice>> = [
      { currency: "eur" },
      { every: "other" },
      { productId: "prod_1" },
    ]
    for (const change of changes)
      assert.deepEqual(tagsOf(withPrice(proKey, (price) => ({ ...price, ...change }))), [
        "CreatePrice",
        "DeactivatePrice",
      ])
  })

  it("switches on what was switched off, and marks what lost its mark", () => {
    assert.deepEqual(tagsOf(withPrice(proKey, (price) => ({ ...price, active: false }))), ["UpdatePrice"])
    assert.deepEqual(tagsOf(withPrice(proKey, (price) => ({ ...price, metadata: {} }))), ["UpdatePrice"])
    const dark = { ...complete, products: complete.products.map((one) => ({ ...one, active: one.id !== pro })) }
    assert.deepEqual(tagsOf(dark), ["UpdateProduct"])
  })

  it("leaves alone what is not Berth's", () => {
    const [price] = complete.prices
    assert.isDefined(price)
    const shared: Found = {
      products: [...complete.products, { id: "prod_1", name: "Socks", description: "", metadata: {}, active: true }],
      prices: [
        ...complete.prices,
        { ...price, id: "price_yearly", lookupKey: "their_key", metadata: {}, cents: 50_000 },
      ],
      portals: complete.portals,
      endpoints: [
        ...complete.endpoints,
        { id: "we_other", url: "https://socks.example/hook", events: ["*"], apiVersion: null, enabled: true },
      ],
    }
    assert.deepEqual(tagsOf(shared), [])
    const noted = complete.products.map((one) => ({ ...one, metadata: { ...one.metadata, note: "ours" } }))
    assert.deepEqual(tagsOf({ ...complete, products: noted }), [])
  })

  it("closes a portal that lets customers cancel or change plans past Berth", () => {
    const [portal] = complete.portals
    assert.isDefined(portal)
    assert.deepInclude(portal, {
      canCancel: false,
      canChangePlan: false,
      canPause: false,
      invoices: true,
      paymentMethods: true,
    })
    for (const change of [
      { canCancel: true },
      { canChangePlan: true },
      { active: false },
      { customerUpdates: ["email"] },
    ])
      assert.deepEqual(tagsOf({ ...complete, portals: [{ ...portal, ...change }] }), ["UpdatePortal"])
  })

  describe("of the webhook endpoint", () => {
    const [endpoint] = complete.endpoints
    assert.isDefined(endpoint)
    const elder = { ...endpoint, id: "we_elder", apiVersion: "2025-03-31.basil" }

    it("subscribes to exactly the handled types, in this API version", () => {
      assert.deepInclude(endpoint, { url: "https://berth.example/webhooks/stripe", apiVersion })
      const fewer = { ...endpoint, events: endpoint.events.slice(1) }
      const more = { ...endpoint, events: [...endpoint.events, "charge.updated"] }
      for (const one of [fewer, more, { ...endpoint, events: ["*"] }, { ...endpoint, enabled: false }])
        assert.deepEqual(tagsOf({ ...complete, endpoints: [one] }), ["UpdateEndpoint"])
    })

    it("makes one of this API version beside the old, which ends only with the next run", () => {
      const found = { ...complete, endpoints: [elder] }
      const steps = planOf(wanted, found)
      assert.deepInclude(steps[0], { _tag: "CreateEndpoint", beside: "we_elder" })
      assert.lengthOf(steps, 1)
      const next = applied(found, steps)
      assert.deepEqual(planOf(wanted, next), [
        { _tag: "DisableEndpoint", id: "we_elder", apiVersion: "2025-03-31.basil" },
      ])
      assert.deepEqual(tagsOf(applied(next, planOf(wanted, next))), [])
    })

    it("makes none that Stripe could not reach", () => {
      assert.notInclude(tagsOf(nothing, wantedAt("http://127.0.0.1:3000")), "CreateEndpoint")
    })
  })

  it("leads from any account to one with nothing to do, in one run, or two if the API version changed", () => {
    const anyPrice = (price: FoundPrice) =>
      fc.record({
        id: fc.constant(price.id),
        lookupKey: fc.constantFrom(price.lookupKey, null),
        productId: fc.constantFrom(price.productId, "prod_1"),
        active: fc.boolean(),
        currency: fc.constantFrom("usd", "eur"),
        cents: fc.constantFrom(price.cents, 1, null),
        every: fc.constantFrom(price.every, "other" as const),
        metadata: fc.constantFrom(price.metadata, {}),
      })
    const some = <A>(all: ReadonlyArray<A>) => fc.subarray([...all])
    const [endpoint] = complete.endpoints
    const [portal] = complete.portals
    assert.isDefined(endpoint)
    assert.isDefined(portal)
    const anyFound: fc.Arbitrary<Found> = fc.record({
      products: some(complete.products).chain((products) =>
        fc.boolean().map((active) => products.map((one) => ({ ...one, active }))),
      ),
      prices: fc.tuple(...complete.prices.map(anyPrice)).chain((prices) => some(prices)),
      portals: fc
        .tuple(fc.boolean(), fc.boolean())
        .chain(([active, canCancel]) => some([{ ...portal, active, canCancel }])),
      endpoints: some([
        { ...endpoint, enabled: false },
        { ...endpoint, id: "we_2" },
        { ...endpoint, id: "we_3", apiVersion: null },
        { ...endpoint, id: "we_4", url: "https://other.example" },
      ]),
    })
    fc.assert(
      fc.property(anyFound, (found) => {
        const once = applied(found, planOf(wanted, found))
        const left = planOf(wanted, once)
        assert.isTrue(left.every(({ _tag }) => _tag === "DisableEndpoint"))
        const twice = applied(once, left)
        assert.deepEqual(planOf(wanted, twice), [])
        // What is sold can be bought.
        for (const price of wanted.prices)
          assert.deepInclude(
            twice.prices.find(({ lookupKey }) => lookupKey === price.lookupKey),
            { active: true, cents: price.cents, productId: price.productId },
          )
      }),
    )
  })
})
