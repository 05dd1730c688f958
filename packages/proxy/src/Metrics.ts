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
