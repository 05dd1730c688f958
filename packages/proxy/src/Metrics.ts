/** What the proxy counts, as Prometheus names. No label ever holds a customer, a token or a request. */
import * as Metric from "effect/Metric"

/** By `outcome`: `served`, `hungUp`, `broken`, or the tag of the refusal. */
export const requests = Metric.counter("berth_proxy_requests_total", {
  description: "Requests to the chat route, by how they ended",
  incremental: true,
})
/** By `kind`: prompt, cached, completion, reasoning. */
export const tokens = Metric.counter("berth_proxy_tokens_total", {
  description: "Tokens settled, by kind and model",
  incremental: true,
})
export const estimated = Metric.counter("berth_proxy_estimated_total", {
  description: "Calls settled by estimate because the upstream never reported usage",
  incremental: true,
})
export const lost = Metric.counter("berth_proxy_lost_holds_total", {
  description: "Expired holds that the sweeper gave up as lost",
  incremental: true,
})
export const settleRetries = Metric.counter("berth_proxy_settle_retries_total", {
  description: "Settlements or releases that had to be tried again",
  incremental: true,
})
export const unsettled = Metric.counter("berth_proxy_unsettled_total", {
  description: "Settlements or releases given up after every retry",
  incremental: true,
})
export const restored = Metric.counter("berth_proxy_restored_total", {
  description: "Settlements that the store had acknowledged and lost, and was told again",
  incremental: true,
})
/** By `for`: `allowance` (room beside the customer's own open holds) or `upstream` (a place there). Who need not wait is not counted. */
export const waitSeconds = Metric.histogram("berth_proxy_wait_seconds", {
  description: "How long requests that had to wait waited, whether in vain or not",
  boundaries: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
})
export const settleSeconds = Metric.histogram("berth_proxy_settle_seconds", {
  description: "From the end of a call to its settlement or release being acknowledged by the store",
  boundaries: [0.005, 0.025, 0.1, 0.5, 2, 10, 60, 300, 900],
})
export const recordingLag = Metric.gauge("berth_proxy_recording_lag_seconds", {
  description: "For how long the oldest settled usage has waited to be recorded in Postgres",
})
export const openHolds = Metric.gauge("berth_proxy_open_holds", { description: "Holds that this process renews" })
export const upstreamActive = Metric.gauge("berth_proxy_upstream_active", { description: "Upstream slots taken" })
export const upstreamWaiting = Metric.gauge("berth_proxy_upstream_waiting", {
  description: "Admitted requests waiting for an upstream slot",
})
/** By `reason`; the ones to alert on are key, quota and model. */
export const upstreamFaults = Metric.counter("berth_proxy_upstream_faults_total", {
  description: "Refusals and failures of the upstream, by reason",
  incremental: true,
})
/** By `reason`: the tag of the refusal. */
export const badTokens = Metric.counter("berth_proxy_bad_tokens_total", {
  description: "Requests without a token that somebody has, by what was wrong with it",
  incremental: true,
})
export const droppedConnections = Metric.counter("berth_proxy_dropped_connections_total", {
  description: "Connections closed unheard because there were too many, in all or from one address",
  incremental: true,
})
export const intakeBytes = Metric.gauge("berth_proxy_intake_bytes", {
  description: "Bytes that requests under way count for, bodies above all",
})
/** By `model`: 1 while its engine is overloaded and requests are refused at once. */
export const circuitOpen = Metric.gauge("berth_proxy_circuit_open", {
  description: "Whether requests for a model are refused because its engine is overloaded",
})
/** In the currency of the platform: USD at api.moonshot.ai, CNY at api.moonshot.cn. */
export const kimiBalance = Metric.gauge("berth_proxy_kimi_balance", {
  description: "What is left on our account at the upstream",
})
export const kimiHoursLeft = Metric.gauge("berth_proxy_kimi_hours_left", {
  description: "Hours until our account is spent at the rate of the last hour; at most a year",
})
export const kimiBalanceLow = Metric.gauge("berth_proxy_kimi_balance_low", {
  description: "1 while our account at the upstream is nearly spent",
})
export const kimiPollFailures = Metric.counter("berth_proxy_kimi_balance_poll_failures_total", {
  description: "Times that the balance could not be read",
  incremental: true,
})
