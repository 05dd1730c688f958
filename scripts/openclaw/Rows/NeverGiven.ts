/** Answers that the proxy never gives, and why: given in its place, they do this. */
import type { Row } from "../Row.ts"
import * as Obstacles from "./Obstacles.ts"

const answered = (status: number, error: { type: string; code: string; message: string }) =>
  Obstacles.instead({ status, headers: {}, body: JSON.stringify({ error: { ...error, param: null } }) })

const blocked = (name: string, obstacle: Row["obstacle"], sees: RegExp): Row => ({
  name: `never given: ${name}`,
  obstacle,
  requests: [1, 1],
  sees,
  next: false,
})

export const rows: ReadonlyArray<Row> = [
  {
    name: "never given: 429 rate_limit_exceeded without Retry-After",
    obstacle: answered(429, {
      type: "rate_limit_exceeded",
      code: "rate_limit_exceeded",
      message: "Rate limit exceeded",
    }),
    requests: [5, 20],
    sees: undefined,
    windowSeconds: 60,
    next: true,
  },
  {
    name: "never given: the monthly limit in other words",
    obstacle: answered(429, {
      type: "usage_limit_reached",
      code: "usage_limit_reached",
      message: "Your tokens are used up.",
    }),
    requests: [2, 20],
    sees: undefined,
    windowSeconds: 30,
    next: true,
  },
  blocked(
    "402",
    answered(402, { type: "payment_required", code: "payment_required", message: "Top up your plan." }),
    /returned a billing error/,
  ),
  blocked(
    "429 insufficient_quota",
    answered(429, { type: "insufficient_quota", code: "insufficient_quota", message: "You have insufficient quota." }),
    /returned a billing error/,
  ),
  blocked(
    "403",
    answered(403, { type: "permission_error", code: "agent_paused", message: "Your agent is paused." }),
    /authentication failed, HTTP 403/,
  ),
]
