/** What may go wrong with a call, in the few kinds that a page treats differently. Pure, so that retries can be tested. */

/**
 * - `offline`, `unavailable`: nothing is known to have happened; the same call may be made again.
 * - `signedOut`: the session ended or never was. `notFound`: not there, or not this account's.
 * - `rejected`: refused for a reason that `message` tells the customer.
 * - `outdated`: the answer could not be read; this page is older than the server.
 */
export type FailureKind = "offline" | "unavailable" | "signedOut" | "notFound" | "rejected" | "outdated"

/** The only error that calls throw. */
export class CallFailed extends Error {
  readonly kind: FailureKind
  constructor(kind: FailureKind, message: string) {
    super(message)
    this.name = "CallFailed"
    this.kind = kind
  }
}

const kinds: Readonly<Record<string, FailureKind>> = {
  Unauthorized: "signedOut",
  Forbidden: "signedOut",
  NotFound: "notFound",
  AgentUnknown: "notFound",
  NoLogs: "rejected",
  InspectionUnavailable: "unavailable",
  Rejected: "rejected",
  Conflict: "rejected",
  StoreUnavailable: "unavailable",
  TimeoutError: "unavailable",
  SchemaError: "outdated",
}

interface Tagged {
  readonly _tag?: string
  readonly message?: string
  readonly reason?: { readonly _tag?: string }
  readonly response?: { readonly status: number }
}

/** Sorts whatever the client failed with. An answer from something between us and the server counts as unavailable. */
export const failureOf = (error: unknown): CallFailed => {
  if (error instanceof CallFailed) return error
  const { _tag = "", message = "", reason, response } = (typeof error === "object" ? (error ?? {}) : {}) as Tagged
  if (_tag !== "HttpClientError") return new CallFailed(kinds[_tag] ?? "unavailable", message)
  if (reason?._tag === "TransportError") return new CallFailed("offline", message)
  const isOdd = response === undefined || response.status >= 500 || response.status === 429 || response.status === 408
  return new CallFailed(isOdd ? "unavailable" : "outdated", message)
}

/** Whether the same call may be made again without asking the customer. */
export const mayRetry = (error: unknown): boolean => {
  const { kind } = failureOf(error)
  return kind === "offline" || kind === "unavailable"
}
