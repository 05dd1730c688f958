/**
 * From what an account must hold and what it holds to the steps in between. Pure; no step, no difference. What is not
 * Berth's is left alone. A price can't be changed, so another amount is another price: it takes the lookup key over and only
 * then the old one is switched off, so that a checkout finds a price at any time. Subscriptions keep the price they have.
 */
import type { Desired, Endpoint, Metadata, Portal, Price, Product } from "./Desired.ts"

export interface FoundProduct extends Product {
  readonly active: boolean
}

export interface FoundPrice {
  readonly id: string
  readonly lookupKey: string | null
  readonly productId: string
  readonly active: boolean
  readonly currency: string
  readonly cents: number | null
  readonly every: "month" | "once" | "other"
  readonly metadata: Metadata
}

export interface FoundPortal extends Portal {
  readonly id: string
  readonly active: boolean
}

export interface FoundEndpoint {
  readonly id: string
  readonly url: string
  readonly events: ReadonlyArray<string>
  readonly apiVersion: string | null
  readonly enabled: boolean
}

/** Of an account, what concerns Berth: its products with their prices, its portal configurations, all endpoints. */
export interface Found {
  readonly products: ReadonlyArray<FoundProduct>
  readonly prices: ReadonlyArray<FoundPrice>
  readonly portals: ReadonlyArray<FoundPortal>
  readonly endpoints: ReadonlyArray<FoundEndpoint>
}

export type Step =
  | { readonly _tag: "CreateProduct"; readonly product: Product }
  | { readonly _tag: "UpdateProduct"; readonly product: Product }
  | { readonly _tag: "CreatePrice"; readonly price: Price }
  | { readonly _tag: "UpdatePrice"; readonly id: string; readonly price: Price }
  | { readonly _tag: "DeactivatePrice"; readonly id: string; readonly of: string }
  | { readonly _tag: "CreatePortal"; readonly portal: Portal }
  | { readonly _tag: "UpdatePortal"; readonly id: string; readonly portal: Portal }
  | { readonly _tag: "CreateEndpoint"; readonly endpoint: Endpoint; readonly beside: string | undefined }
  | { readonly _tag: "UpdateEndpoint"; readonly id: string; readonly endpoint: Endpoint }
  | { readonly _tag: "DisableEndpoint"; readonly id: string; readonly apiVersion: string | null }

/** Keys that others put beside ours stay. */
const carries = (found: Metadata, wanted: Metadata): boolean =>
  Object.entries(wanted).every(([key, value]) => found[key] === value)

const sameSet = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): boolean =>
  one.length === other.length && one.every((each) => other.includes(each))

const productSteps = (product: Product, found: Found): ReadonlyArray<Step> => {
  const there = found.products.find(({ id }) => id === product.id)
  if (there === undefined) return [{ _tag: "CreateProduct", product }]
  const same =
    there.active &&
    there.name === product.name &&
    there.description === product.description &&
    carries(there.metadata, product.metadata)
  return same ? [] : [{ _tag: "UpdateProduct", product }]
}

/** Whether it charges what it should, for what it should: all that can't be changed of a price. */
const charges = (found: FoundPrice, { cents, every, productId }: Price): boolean =>
  found.currency === "usd" && found.cents === cents && found.every === every && found.productId === productId

const priceSteps = (price: Price, found: Found): ReadonlyArray<Step> => {
  const holder = found.prices.find(({ lookupKey }) => lookupKey === price.lookupKey)
  const right = holder !== undefined && charges(holder, price) ? holder : undefined
  const old = found.prices.filter(
    ({ id, active, productId, metadata }) =>
      active &&
      id !== right?.id &&
      (id === holder?.id || (productId === price.productId && carries(metadata, price.metadata))),
  )
  return [
    ...(right === undefined
      ? [{ _tag: "CreatePrice", price } as const]
      : right.active && carries(right.metadata, price.metadata)
        ? []
        : [{ _tag: "UpdatePrice", id: right.id, price } as const]),
    ...old.map(({ id }) => ({ _tag: "DeactivatePrice", id, of: price.lookupKey }) as const),
  ]
}

const portalSteps = (portal: Portal, { portals }: Found): ReadonlyArray<Step> => {
  const there = portals.find(({ active }) => active) ?? portals[0]
  if (there === undefined) return [{ _tag: "CreatePortal", portal }]
  const same =
    there.active &&
    there.returnUrl === portal.returnUrl &&
    sameSet(there.customerUpdates, portal.customerUpdates) &&
    there.invoices === portal.invoices &&
    there.paymentMethods === portal.paymentMethods &&
    there.canCancel === portal.canCancel &&
    there.canPause === portal.canPause &&
    there.canChangePlan === portal.canChangePlan
  return same ? [] : [{ _tag: "UpdatePortal", id: there.id, portal }]
}

/**
 * An endpoint of another API version is left on until the run after the one that made its successor: by then billing knows
 * the new secret, and no event falls between the two. Both send each event; it is stored once.
 */
const endpointSteps = (endpoint: Endpoint | undefined, { endpoints }: Found): ReadonlyArray<Step> => {
  if (endpoint === undefined) return []
  const here = endpoints.filter(({ url }) => url === endpoint.url)
  const fit = here.filter(({ apiVersion }) => apiVersion === endpoint.apiVersion)
  const right = fit.find(({ enabled }) => enabled) ?? fit[0]
  const others = here.filter(({ apiVersion, enabled }) => enabled && apiVersion !== endpoint.apiVersion)
  if (right === undefined) return [{ _tag: "CreateEndpoint", endpoint, beside: others[0]?.id }]
  if (!right.enabled || !sameSet(right.events, endpoint.events))
    return [{ _tag: "UpdateEndpoint", id: right.id, endpoint }]
  return others.map(({ id, apiVersion }) => ({ _tag: "DisableEndpoint", id, apiVersion }) as const)
}

/** In the order in which they must be done. */
export const planOf = (desired: Desired, found: Found): ReadonlyArray<Step> => [
  ...desired.products.flatMap((product) => productSteps(product, found)),
  ...desired.prices.flatMap((price) => priceSteps(price, found)),
  ...portalSteps(desired.portal, found),
  ...endpointSteps(desired.endpoint, found),
]

const dollars = ({ cents, every }: Price): string =>
  `$${(cents / 100).toFixed(2)}${every === "month" ? " a month" : ""}`

/** A step as a line of the plan: `+` makes, `~` changes, `-` switches off. */
export const lineOf = (step: Step): string => {
  switch (step._tag) {
    case "CreateProduct":
      return `+ product ${step.product.id}: ${step.product.name}`
    case "UpdateProduct":
      return `~ product ${step.product.id}: ${step.product.name}`
    case "CreatePrice":
      return `+ price ${step.price.lookupKey}: ${dollars(step.price)}`
    case "UpdatePrice":
      return `~ price ${step.price.lookupKey} (${step.id}): on, and marked as Berth's`
    case "DeactivatePrice":
      return `- price ${step.id}, which ${step.of} replaces; its subscriptions keep it`
    case "CreatePortal":
      return "+ the customers' portal"
    case "UpdatePortal":
      return `~ the customers' portal (${step.id})`
    case "CreateEndpoint":
      return `+ webhook endpoint ${step.endpoint.url}, ${step.endpoint.events.length} event types in API ${step.endpoint.apiVersion}${
        step.beside === undefined ? "" : `, beside ${step.beside} until the next run`
      }`
    case "UpdateEndpoint":
      return `~ webhook endpoint ${step.endpoint.url} (${step.id}): on, ${step.endpoint.events.length} event types`
    case "DisableEndpoint":
      return `- webhook endpoint ${step.id} of API ${step.apiVersion ?? "of the account"}`
  }
}
