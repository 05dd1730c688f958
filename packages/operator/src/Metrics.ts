/** What the operator counts, as Prometheus names. No label ever holds a customer. */
import * as Metric from "effect/Metric"

/** By `lane` and `outcome`: `done` or `failed`, which is tried again. */
export const reconciles = Metric.counter("berth_operator_reconciles_total", {
  description: "Looks at an agent, by lane and how they ended",
  incremental: true,
})
/** By `lane`. */
export const reconcileSeconds = Metric.histogram("berth_operator_reconcile_seconds", {
  description: "How long a look at an agent took, applies and all",
  boundaries: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
})
/** By `queue` (agents, jobs) and `lane`. */
export const queueDepth = Metric.gauge("berth_operator_queue_depth", {
  description: "Agents that wait to be looked at and customers whose jobs wait to be settled, by lane",
})
export const queueAge = Metric.gauge("berth_operator_queue_oldest_seconds", {
  description: "For how long the one that has waited longest has waited, by queue and lane",
})
/** By `outcome`: accepted, ignored, buried. */
export const jobs = Metric.counter("berth_operator_jobs_total", {
  description: "Jobs taken off the list, by what became of them",
  incremental: true,
})
export const timeToReady = Metric.histogram("berth_operator_time_to_ready_seconds", {
  description: "From an Agent's creation until its pod was Ready for the first time",
  boundaries: [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600],
})
/** By `phase`. */
export const agents = Metric.gauge("berth_operator_agents", { description: "Agents, by phase" })
/** By `outcome`: `written`, or `failed`, which is tried again. */
export const exports = Metric.counter("berth_operator_exports_total", {
  description: "Tries to export the data of an agent that is to be deleted",
  incremental: true,
})
/** By `kind` and `found_by`: `watch`, or `resync` for what no watch had told. */
export const driftRepaired = Metric.counter("berth_operator_drift_repaired_total", {
  description: "Objects put back after someone had changed or removed them",
  incremental: true,
})
/** By `kind`. The first list of a process counts as well. */
export const lists = Metric.counter("berth_operator_informer_lists_total", {
  description: "How often all objects of a kind were listed: once at the start, then whenever a watch lost its place",
  incremental: true,
})
export const observed = Metric.gauge("berth_operator_observed_objects", {
  description: "Objects of customers that the informers know",
})
export const fresh = Metric.gauge("berth_operator_informers_fresh", {
  description: "1 while every informer has been heard of in the last 150 s",
})
export const leading = Metric.gauge("berth_operator_leading", { description: "1 while this process leads" })
/** By `state`: `running` (between apply and Ready) or `waiting` for a place. */
export const starts = Metric.gauge("berth_operator_starts", { description: "Agents that start or wait to be started" })
/** By `verb`, `kind` and `status`: the HTTP status, or `none` when there was no answer. */
export const requests = Metric.counter("berth_operator_api_requests_total", {
  description: "Requests to the API server",
  incremental: true,
})
