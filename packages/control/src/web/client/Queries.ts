/** The one query cache and what is read through it. Reads are tried again only when trying again may help. */
import { QueryClient, queryOptions } from "@tanstack/react-query"
import { newer } from "../chat/Thread.ts"
import { waitMs } from "../live/Backoff.ts"
import type { Conversation } from "../../api/Messages.ts"
import { comeBack, openConversation, readAgent, readHealth, readLogs, readOrder, readUsage } from "./Client.ts"
import { mayRetry } from "./Failure.ts"

const attempts = 4
export const retry = (failures: number, error: unknown): boolean => failures < attempts && mayRetry(error)
export const retryDelay = (failures: number): number => waitMs(failures + 1, Math.random())

export const cache = new QueryClient({
  // The browser's own idea of being online is often wrong; a call tells better.
  defaultOptions: { queries: { retry, retryDelay, networkMode: "always" }, mutations: { networkMode: "always" } },
})

/** The conversation, opened on first use. */
export const conversationQuery = queryOptions({
  queryKey: ["conversation"],
  queryFn: async () => showConversation(await openConversation()),
})

/** The newer of what is shown and this. */
const showConversation = (conversation: Conversation): Conversation =>
  newer(cache.getQueryData<Conversation>(["conversation"]), conversation)

export const keepConversation = (conversation: Conversation): void => {
  cache.setQueryData<Conversation>(conversationQuery.queryKey, showConversation(conversation))
}

export const pollMs = 4_000

export const agentQuery = queryOptions({
  queryKey: ["account", "agent"],
  queryFn: ({ signal }) => readAgent(signal),
  refetchInterval: pollMs,
})

/** A look at the agent costs a question to its node, so it is taken less often. */
const lookMs = 15_000

export const healthQuery = queryOptions({
  queryKey: ["account", "health"],
  queryFn: ({ signal }) => readHealth(signal),
  refetchInterval: lookMs,
})

export const logsQuery = (previous: boolean) =>
  queryOptions({
    queryKey: ["account", "logs", previous],
    queryFn: ({ signal }) => readLogs(previous, signal),
    refetchInterval: previous ? false : 5_000,
    gcTime: 0,
  })

export const usageQuery = queryOptions({
  queryKey: ["account", "usage"],
  queryFn: ({ signal }) => readUsage(signal),
  refetchInterval: pollMs,
})

/** Shows a cap at once that was just set; the proxies have it within a second. */
export const keepDailyCap = (cap: number | null): void => {
  cache.setQueryData(usageQuery.queryKey, (usage) => usage && { ...usage, today: { ...usage.today, cap } })
}

export const orderQuery = (id: string) =>
  queryOptions({ queryKey: ["account", "order", id], queryFn: ({ signal }) => readOrder(id, signal) })

const mostReturns = 8

/**
 * Tells of the return from the payment page: at once, then, waiting longer each time, for about a minute. Nobody is shown
 * how it ends: the order tells, and what Stripe itself reports comes in any case.
 */
export const returnQuery = (id: string) =>
  queryOptions({
    queryKey: ["account", "return", id],
    queryFn: async () => {
      const { outcome } = await comeBack(id)
      if (outcome === "accepted") void cache.invalidateQueries({ queryKey: orderQuery(id).queryKey })
      return outcome
    },
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    refetchInterval: ({ state }) => {
      const returns = state.dataUpdateCount + state.errorUpdateCount
      return returns < mostReturns ? waitMs(returns + 1, 1) : false
    },
  })
