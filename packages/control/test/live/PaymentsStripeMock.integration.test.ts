/**
 * Everything that Berth sends to Stripe, sent to Stripe's own mock, which refuses a path, a parameter or a value that Stripe's
 * specification does not know. It remembers nothing, so what comes of a call is the contract's business; and it takes any
 * `expand`, so those stand by the types of the client alone.
 */
import { CustomerId, OrderId } from "@berth/domain/Ids"
import { startStripeMock } from "@berth/domain/testing/StripeMockServer"
import { assert, layer as suite } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Stripe } from "stripe"
import { eventTypes } from "../../src/billing/EventTypes.ts"
import type { Payments } from "../../src/billing/Payments.ts"
import * as PaymentsStripe from "../../src/live/PaymentsStripe.ts"
import * as StripeTestMode from "./StripeTestMode.ts"

class Mock extends Context.Service<Mock, { readonly host: string; readonly port: number }>()(
  "@berth/control/test/StripeMock",
) {}

interface Sent {
  readonly method: string
  readonly path: string
  readonly body: string
}

/** Answers that the mock's fixtures don't give, so that each path through a method is taken. */
type Answer = (sent: Sent) => object | undefined

/** Stripe's client, whose requests are kept, and answered by the mock in all but the fixtures that a test replaces. */
const recorded = Effect.fn("recorded")(function* (
  more: Partial<PaymentsStripe.Options> = {},
  answer: Answer = () => undefined,
) {
  const server = yield* Mock
  const sent: Array<Sent> = []
  const network = Stripe.createNodeHttpClient()
  const httpClient = Object.assign(Object.create(network), {
    makeRequest: async (...args: Parameters<Stripe.HttpClient["makeRequest"]>) => {
      const [, , path, method, , body] = args
      const one = { method, path: decodeURIComponent(path), body: decodeURIComponent(String(body ?? "")) }
      sent.push(one)
      const response = await network.makeRequest(...args)
      const replaced = answer(one)
      if (replaced === undefined || response.getStatusCode() !== 200) return response
      return Object.assign(Object.create(response), {
        toJSON: () => response.toJSON().then((fixture: object) => ({ ...fixture, ...replaced })),
      })
    },
  })
  const payments = PaymentsStripe.make({
    secretKey: Redacted.make("sk_test_mock"),
    webhookSecrets: [Redacted.make("whsec_mock")],
    publicUrl: "https://berth.example",
    server,
    httpClient,
    ...more,
  })
  return { payments, sent }
})

const order = {
  orderId: OrderId.make("ord_1"),
  accountId: CustomerId.make("ann"),
  tier: "pro",
  email: "ann@example.com",
  attempt: 1,
} as const
const pack = { purchaseId: "pur_1", accountId: CustomerId.make("ann"), pack: "1m", stripeCustomerId: "cus_1" } as const

const isSession: Answer = ({ method, path }) =>
  method === "POST" && path === "/v1/checkout/sessions" ? { url: "https://checkout.stripe.com/c/1" } : undefined

const invoiceWith =
  (status: string): Answer =>
  ({ method, path }) =>
    method === "GET" && path.startsWith("/v1/invoices/") ? { status } : undefined

type Call = (payments: Payments["Service"]) => Effect.Effect<unknown, { readonly _tag: string }>

interface Case {
  readonly name: string
  readonly run: Call
  readonly options?: Partial<PaymentsStripe.Options>
  readonly answer?: Answer
  /** What must be among the requests: method, path, and a part of the body. */
  readonly sends: readonly [method: string, path: string, body?: string]
}

const taxed = { automaticTax: true, promotionCodes: true }

const cases: ReadonlyArray<Case> = [
  ...[undefined, taxed].flatMap((options): ReadonlyArray<Case> => {
    const suffix = options === undefined ? "" : ", with tax and promotion codes"
    const more = { ...(options === undefined ? {} : { options }), answer: isSession }
    return [
      {
        name: `createCheckout of a newcomer${suffix}`,
        run: (payments) => payments.createCheckout(order),
        sends: ["POST", "/v1/checkout/sessions", "customer_email=ann@example.com"],
        ...more,
      },
      {
        name: `createCheckout of a known customer${suffix}`,
        run: (payments) => payments.createCheckout({ ...order, stripeCustomerId: "cus_1" }),
        sends: ["POST", "/v1/checkout/sessions", "customer=cus_1"],
        ...more,
      },
      {
        name: `createPackCheckout${suffix}`,
        run: (payments) => payments.createPackCheckout(pack),
        sends: ["POST", "/v1/checkout/sessions", "invoice_creation[enabled]=true"],
        ...more,
      },
    ]
  }),
  {
    name: "checkout",
    run: (payments) => payments.checkout("cs_1"),
    sends: ["GET", "/v1/checkout/sessions/cs_1"],
  },
  {
    name: "expireCheckout",
    run: (payments) => payments.expireCheckout("cs_1"),
    answer: ({ method }) => (method === "GET" ? { status: "open" } : undefined),
    sends: ["POST", "/v1/checkout/sessions/cs_1/expire"],
  },
  {
    name: "subscription",
    run: (payments) => payments.subscription("sub_1"),
    sends: ["GET", "/v1/subscriptions/sub_1"],
  },
  {
    name: "cancelSubscription",
    run: (payments) => payments.cancelSubscription("sub_1"),
    sends: ["DELETE", "/v1/subscriptions/sub_1"],
  },
  {
    name: "cancelAtPeriodEnd",
    run: (payments) => payments.cancelAtPeriodEnd("sub_1", true),
    answer: ({ method }) => (method === "GET" ? { cancel_at_period_end: false } : undefined),
    sends: ["POST", "/v1/subscriptions/sub_1", "cancel_at_period_end=true"],
  },
  {
    name: "cancelAtPeriodEnd, taken back",
    run: (payments) => payments.cancelAtPeriodEnd("sub_1", false),
    answer: ({ method }) => (method === "GET" ? { cancel_at_period_end: true } : undefined),
    sends: ["POST", "/v1/subscriptions/sub_1", "cancel_at_period_end=false"],
  },
  {
    name: "changePrice, charged at once",
    run: (payments) => payments.changePrice({ subscriptionId: "sub_1", tier: "team", when: "charge", key: "q1" }),
    sends: ["POST", "/v1/subscriptions/sub_1", "payment_behavior=pending_if_incomplete"],
  },
  {
    name: "changePrice for renewals",
    run: (payments) => payments.changePrice({ subscriptionId: "sub_1", tier: "starter", when: "renewal", key: "q2" }),
    sends: ["POST", "/v1/subscriptions/sub_1", "proration_behavior=none"],
  },
  {
    name: "previewPrice",
    run: (payments) => payments.previewPrice("sub_1", "team"),
    sends: ["POST", "/v1/invoices/create_preview", "subscription_details[proration_date]="],
  },
  {
    name: "invoice",
    run: (payments) => payments.invoice("in_1"),
    sends: ["GET", "/v1/invoices/in_1?expand[0]=payments"],
  },
  {
    name: "invoices",
    run: (payments) => payments.invoices("sub_1"),
    sends: ["GET", "/v1/invoices?subscription=sub_1&limit=24&expand[0]=data.payments"],
  },
  {
    name: "voidInvoice of an open one",
    run: (payments) => payments.voidInvoice("in_1"),
    answer: invoiceWith("open"),
    sends: ["POST", "/v1/invoices/in_1/void"],
  },
  {
    name: "voidInvoice of an uncollectible one",
    run: (payments) => payments.voidInvoice("in_1"),
    answer: invoiceWith("uncollectible"),
    sends: ["POST", "/v1/invoices/in_1/void"],
  },
  {
    name: "voidInvoice of a draft",
    run: (payments) => payments.voidInvoice("in_1"),
    answer: invoiceWith("draft"),
    sends: ["POST", "/v1/invoices/in_1/finalize", "auto_advance=false"],
  },
  {
    name: "payment",
    run: (payments) => payments.payment("pi_1"),
    sends: ["GET", "/v1/disputes?payment_intent=pi_1&limit=100"],
  },
  {
    name: "refund",
    run: (payments) => payments.refund("pi_1", 500, "q3"),
    sends: ["POST", "/v1/refunds", "metadata[berth_refund]=q3"],
  },
  {
    name: "portal, of an account that has but its own configuration",
    run: (payments) => payments.portal("cus_1"),
    sends: ["POST", "/v1/billing_portal/sessions", "customer=cus_1"],
  },
  {
    name: "portal, as stripe:sync configures it",
    run: (payments) => payments.portal("cus_1"),
    answer: ({ path }) =>
      path.startsWith("/v1/billing_portal/configurations?")
        ? {
            data: [
              { id: "bpc_other", metadata: {} },
              { id: "bpc_berth", metadata: { berth: "portal" } },
            ],
          }
        : undefined,
    sends: ["POST", "/v1/billing_portal/sessions", "configuration=bpc_berth"],
  },
  {
    name: "portal, on the way back to Berth",
    run: (payments) => payments.portal("cus_1"),
    sends: ["POST", "/v1/billing_portal/sessions", "return_url=https://berth.example/billing"],
  },
  {
    name: "subscriptions, the first page",
    run: (payments) => payments.subscriptions(undefined),
    sends: ["GET", "/v1/subscriptions?status=all&limit=100"],
  },
  {
    name: "subscriptions, the next page",
    run: (payments) => payments.subscriptions("sub_9"),
    sends: ["GET", "/v1/subscriptions?status=all&limit=100&starting_after=sub_9"],
  },
  {
    name: "events of every type that is handled, the first page",
    run: (payments) => payments.events(eventTypes, 1_700_000_000_000, undefined),
    sends: ["GET", "/v1/events?types[0]=checkout.session.completed"],
  },
  {
    name: "events, the next page",
    run: (payments) => payments.events(["invoice.paid"], 1_700_000_000_000, "evt_9"),
    sends: ["GET", "/v1/events?types[0]=invoice.paid&created[gte]=1700000000&limit=100&starting_after=evt_9"],
  },
]

suite(Layer.effect(Mock, startStripeMock()), { timeout: "120 seconds", excludeTestServices: true })(
  "Stripe's specification knows what Berth sends:",
  (it) => {
    for (const { name, run, options, answer, sends } of cases)
      it.effect(name, () =>
        Effect.gen(function* () {
          const { payments, sent } = yield* recorded(options, answer)
          yield* run(payments)
          const [method, path, body = ""] = sends
          const found = sent.find(
            (one) => one.method === method && one.path.startsWith(path) && one.body.includes(body),
          )
          assert.isDefined(found, `${method} ${path} ${body} is not among ${JSON.stringify(sent)}`)
        }),
      )

    it.effect(
      "a refund that Stripe has by this key is not asked for again, though the idempotency key is forgotten",
      () =>
        Effect.gen(function* () {
          const refunds =
            (status: string): Answer =>
            ({ path }) =>
              path.startsWith("/v1/payment_intents/")
                ? {
                    latest_charge: {
                      refunds: { data: [{ amount: 500, status, metadata: { berth_refund: "q3" } }], has_more: false },
                    },
                  }
                : undefined
          const asked = Effect.fn(function* (status: string, cents: number, key: string) {
            const { payments, sent } = yield* recorded({}, refunds(status))
            const exit = yield* Effect.exit(payments.refund("pi_1", cents, key))
            return [exit._tag, sent.filter(({ method }) => method === "POST").length]
          })
          assert.deepEqual(yield* asked("succeeded", 500, "q3"), ["Success", 0])
          assert.deepEqual(yield* asked("succeeded", 400, "q3"), ["Failure", 0])
          assert.deepEqual(yield* asked("succeeded", 500, "q4"), ["Success", 1])
          assert.deepEqual(yield* asked("failed", 500, "q3"), ["Success", 1])
        }),
    )

    it.effect("the contract's stage at Stripe's test mode asks for what Stripe knows", () =>
      Effect.gen(function* () {
        const mode = StripeTestMode.client("sk_test_mock", yield* Mock)
        yield* Effect.gen(function* () {
          for (const isTimed of [true, false])
            assert.isNotEmpty((yield* StripeTestMode.stage.subscribe({ ...order, isTimed })).subscriptionId)
          for (const card of ["declined", "good"] as const) yield* StripeTestMode.stage.card("cus_1", card)
        }).pipe(Effect.provide(mode))
      }),
    )

    const refusals = [
      ["a parameter", "/v1/billing_portal/sessions", "customer=cus_1&colour=red"],
      ["a filter", "/v1/disputes?colour=red", undefined],
      ["a value", "/v1/subscriptions/sub_1", "proration_behavior=sometimes"],
      ["a path", "/v1/pancakes", undefined],
    ] as const
    for (const [what, path, body] of refusals)
      it.effect(`${what} that it does not know is refused`, () =>
        Effect.gen(function* () {
          const { port } = yield* Mock
          const request = body === undefined ? {} : { method: "POST", body: new URLSearchParams(body) }
          const { status } = yield* Effect.promise(() =>
            fetch(`http://127.0.0.1:${port}${path}`, { ...request, headers: { authorization: "Bearer sk_test_mock" } }),
          )
          assert.include([400, 404], status)
        }),
      )
  },
)
