/** Identifiers shared by every service. All are plain strings on the wire, branded so that they cannot be mixed up. */
import * as Schema from "effect/Schema"

/** Names a customer everywhere: account, Agent, namespace `customer-<id>`, `limit:{<id>}`. At most 40 characters, DNS-safe. */
export const CustomerId = Schema.String.check(
  Schema.isPattern(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/, {
    description: "lower-case letters, digits and inner hyphens, at most 40 characters",
  }),
).pipe(Schema.brand("CustomerId"))
export type CustomerId = typeof CustomerId.Type

/** One offer that a customer may pay; it owns its checkout and its one agent. */
export const OrderId = Schema.NonEmptyString.pipe(Schema.brand("OrderId"))
export type OrderId = typeof OrderId.Type

/** One onboarding conversation, on the web or in Telegram. */
export const ConversationId = Schema.NonEmptyString.pipe(Schema.brand("ConversationId"))
export type ConversationId = typeof ConversationId.Type

/** Minted by the proxy for each request it receives; a resent request gets a new one. */
export const RequestId = Schema.NonEmptyString.pipe(Schema.brand("RequestId"))
export type RequestId = typeof RequestId.Type

/** The Kubernetes namespace that holds a customer's agent. */
export const namespaceOf = (id: CustomerId): string => `customer-${id}`

/** Whose namespace it is, or `undefined` when it is no customer's. */
export const customerOf = (namespace: string): string | undefined => /^customer-(.+)$/.exec(namespace)?.[1]
