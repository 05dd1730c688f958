import { createHmac } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { TestClock } from "effect/testing"
import { Stripe } from "stripe"
import { eventTypes, isHandled } from "../../src/billing/EventTypes.ts"
import * as PaymentsStripe from "../../src/live/PaymentsStripe.ts"
import { dueNowOf, paymentOf } from "../../src/live/PaymentsStripe/States.ts"

const now = Date.UTC(2026, 11, 1)

const knowing = (...secrets: ReadonlyArray<string>) =>
  PaymentsStripe.make({
    secretKey: Redacted.make("sk_test_none"),
    webhookSecrets: secrets.map((secret) => Redacted.make(secret)),
    publicUrl: "https://berth.example",
  })

const event = JSON.stringify({
  id: "evt_1",
  object: "event",
  type: "invoice.paid",
  api_version: "2026-10-28.endive",
  created: now / 1000,
  data: { object: { id: "in_1", object: "invoice", customer: "cus_1" } },
})

const signed = (secret: string, body = event, ageSeconds = 0) => {
  const seconds = now / 1000 - ageSeconds
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`
}

const bytes = (text: string) => new TextEncoder().encode(text)

/** Events that lack something without which none can be handled. */
const incomplete = ["id", "type", "created", "data"].map((field) =>
  JSON.stringify({ ...JSON.parse(event), [field]: field === "id" ? "" : undefined }),
)

describe("a webhook", () => {
  const outcome = (secrets: ReadonlyArray<string>, signature: string, body = event) =>
    Effect.gen(function* () {
      yield* TestClock.setTime(now)
      return yield* knowing(...secrets)
        .verify(bytes(body), signature)
        .pipe(
          Effect.map(({ id }) => id),
          Effect.catch(({ reason }) => Effect.succeed(reason)),
        )
    })

  it.effect("is accepted by any of the secrets while one is rotated, and by no other", () =>
    Effect.gen(function* () {
      const rotated = ["whsec_old", "whsec_new"]
      assert.strictEqual(yield* outcome(rotated, signed("whsec_old")), "evt_1")
      assert.strictEqual(yield* outcome(rotated, signed("whsec_new")), "evt_1")
      assert.strictEqual(yield* outcome(rotated, signed("whsec_other")), "signature")
      assert.strictEqual(yield* outcome(["whsec_new"], signed("whsec_old")), "signature")
      assert.strictEqual(yield* outcome([], signed("whsec_old")), "signature")
    }),
  )

  it.effect("that carries signatures of both secrets, as Stripe's do in a rotation, is accepted by either alone", () =>
    Effect.gen(function* () {
      const both = `${signed("whsec_old")},${signed("whsec_new").split(",")[1]}`
      assert.strictEqual(yield* outcome(["whsec_old"], both), "evt_1")
      assert.strictEqual(yield* outcome(["whsec_new"], both), "evt_1")
    }),
  )

  it.effect("that is stale or malformed is told apart from a forged one, whichever secret signed it", () =>
    Effect.gen(function* () {
      const rotated = ["whsec_old", "whsec_new"]
      for (const secret of rotated) {
        assert.strictEqual(yield* outcome(rotated, signed(secret, event, 301)), "stale")
        assert.strictEqual(yield* outcome(rotated, signed(secret, event, 299)), "evt_1")
        assert.strictEqual(yield* outcome(rotated, signed(secret, "not json"), "not json"), "malformed")
        for (const odd of ["{}", "null", "[]", '"evt"', '{"id":"evt_1","type":"x"}', ...incomplete])
          assert.strictEqual(yield* outcome(rotated, signed(secret, odd), odd), "malformed", odd)
      }
      assert.strictEqual(yield* outcome(rotated, "t=1,v1=0"), "signature")
    }),
  )

  it.effect("that was cut short is forged", () =>
    Effect.map(outcome(["whsec_new"], signed("whsec_new"), event.slice(0, -20)), (said) =>
      assert.strictEqual(said, "signature"),
    ),
  )
})

describe("a cancellation", () => {
  /** A Stripe that answers so, by method. */
  const answering = (answers: Readonly<Record<string, readonly [status: number, body: object]>>) => {
    const asked: Array<string> = []
    const fetched = async (_: unknown, request?: { readonly method?: string }) => {
      const method = request?.method ?? "GET"
      asked.push(method)
      const [status, body] = answers[method] ?? [500, {}]
      return new Response(JSON.stringify(body), { status })
    }
    const payments = PaymentsStripe.make({
      secretKey: Redacted.make("sk_test_none"),
      webhookSecrets: [],
      publicUrl: "https://berth.example",
      httpClient: Stripe.createFetchHttpClient(fetched as typeof fetch),
    })
    return { payments, asked }
  }
  const missing = [
    404,
    { error: { type: "invalid_request_error", code: "resource_missing", message: "No such" } },
  ] as const
  const away = [503, { error: { type: "api_error", message: "away" } }] as const
  const active = [200, { id: "sub_1", object: "subscription", status: "active", items: { data: [] } }] as const
  const ended = [200, { ...active[1], status: "canceled" }] as const

  it.effect("of what Stripe does not know, or not any more, is done; of what it can't say, it is not", () =>
    Effect.gen(function* () {
      const outcome = Effect.fn(function* (...[GET, DELETE]: ReadonlyArray<readonly [number, object]>) {
        const { payments, asked } = answering({ ...(GET && { GET }), ...(DELETE && { DELETE }) })
        const exit = yield* Effect.exit(payments.cancelSubscription("sub_1"))
        return [exit._tag, ...asked]
      })
      assert.deepEqual(yield* outcome(missing), ["Success", "GET"])
      assert.deepEqual(yield* outcome(ended), ["Success", "GET"])
      assert.deepEqual(yield* outcome(active, ended), ["Success", "GET", "DELETE"])
      assert.deepEqual(yield* outcome(active, missing), ["Success", "GET", "DELETE"])
      assert.deepEqual(yield* outcome(active, away), ["Failure", "GET", "DELETE"])
      assert.deepEqual(yield* outcome(away), ["Failure", "GET"])
    }),
  )
})

describe("what is charged at once", () => {
  const line = (amount: number, proration: boolean, more: object = {}) => ({
    amount,
    parent: { subscription_item_details: { proration } },
    discount_amounts: [],
    taxes: [],
    ...more,
  })
  const preview = (amount_due: number, ...lines: ReadonlyArray<object>) =>
    dueNowOf({ amount_due, lines: { data: lines } } as unknown as Stripe.Invoice)

  it("is what the previewed invoice is due, if it holds prorations alone", () => {
    assert.strictEqual(preview(8_000, line(-4_900, true), line(12_900, true)), 8_000)
    assert.strictEqual(preview(7_000, line(-4_900, true), line(12_900, true)), 7_000, "the customer's balance counts")
  })

  it("leaves the coming renewal out, and counts discounts and tax of the prorations", () => {
    const renewal = line(12_900, false, { taxes: [{ amount: 1_000, tax_behavior: "exclusive" }] })
    assert.strictEqual(preview(20_900, line(-4_900, true), line(12_900, true), renewal), 8_000)
    const taxed = line(12_900, true, {
      discount_amounts: [{ amount: 900 }],
      taxes: [
        { amount: 1_200, tax_behavior: "exclusive" },
        { amount: 500, tax_behavior: "inclusive" },
      ],
    })
    assert.strictEqual(preview(99_999, line(-4_900, true), taxed, renewal), 8_300)
  })
})

describe("what went back of a payment", () => {
  const payment = { id: "pi_1", customer: "cus_1", amount_received: 4_900 } as Stripe.PaymentIntent
  const refunds = (...data: ReadonlyArray<object>) =>
    ({ amount_refunded: 4_900, refunds: { data, has_more: false } }) as unknown as Stripe.Charge
  const dispute = (status: string) => ({ status, amount: 4_900 }) as Stripe.Dispute

  it("is not what a refund that failed or was canceled had tried", () => {
    const charge = refunds(
      { status: "succeeded", amount: 100 },
      { status: "pending", amount: 20 },
      { status: "requires_action", amount: 3 },
      { status: "failed", amount: 1_000 },
      { status: "canceled", amount: 2_000 },
    )
    assert.strictEqual(paymentOf(payment, charge, []).refunded, 123)
    assert.strictEqual(paymentOf(payment, { amount_refunded: 700 } as Stripe.Charge, []).refunded, 700)
    assert.strictEqual(paymentOf(payment, undefined, []).refunded, 0)
  })

  it("is a dispute's money while it is open and once it is lost", () => {
    const disputed = (...statuses: ReadonlyArray<string>) =>
      paymentOf(payment, undefined, statuses.map(dispute)).disputed
    for (const open of ["needs_response", "under_review", "appeal_under_review", "lost"])
      assert.strictEqual(disputed(open), 4_900, open)
    for (const free of ["won", "prevented", "warning_needs_response", "warning_closed"])
      assert.strictEqual(disputed(free), 0, free)
  })
})

it("the handled event types fit into one question to Stripe, which takes 20, and name none twice", () => {
  assert.isAtMost(eventTypes.length, 20)
  assert.strictEqual(new Set(eventTypes).size, eventTypes.length)
  assert.isTrue(isHandled("invoice.paid"))
  assert.isFalse(isHandled("invoice.upcoming"))
})
