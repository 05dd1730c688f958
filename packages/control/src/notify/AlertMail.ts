/** The mail that says how much of the month's tokens is used, what that means and what can be done. Pure. */
import type { Alert } from "../billing/UsageAlert.ts"
import { alertWords, meaning } from "./AlertWords.ts"
import { button, escape, help, page } from "./MailPage.ts"
import type { Mail } from "./Mailer.ts"
import { grouped } from "./TokenWords.ts"

export interface UsageNews extends Alert {
  readonly id: string
  readonly to: string
  /** End of the period, epoch ms. */
  readonly resetsAt: number
  /** Where the customer sees usage, sets a daily cap and tops up. */
  readonly usageUrl: string
}

/** What can be done, the most useful first. */
const advice = (percent: Alert["percent"]): ReadonlyArray<string> =>
  percent === 100
    ? ["Top up, and it goes on at once.", "Or wait for the reset: nothing of your agent's is lost."]
    : [
        "See which days and models took most, and what your agent does by itself.",
        "Set a daily cap, and a busy day leaves enough for the others.",
      ]

export const alertMail = ({ id, to, percent, used, limit, resetsAt, usageUrl }: UsageNews): Mail => {
  const words = alertWords(percent)
  const numbers = `${grouped(used)} of ${grouped(limit)} tokens`
  const means = meaning(percent, resetsAt)
  const label = percent === 100 ? "Top up" : "See your usage"
  return {
    id,
    to,
    subject: words,
    text: [
      words,
      "",
      `Used so far: ${numbers}`,
      means,
      "",
      "What you can do:",
      ...advice(percent).map((line) => `- ${line}`),
      "",
      `${label}: ${usageUrl}`,
      "",
      help,
      "",
      "Berth",
    ].join("\n"),
    html: page(words, [
      `<p>Used so far: <strong>${numbers}</strong>.</p>`,
      `<p>${escape(means)}</p>`,
      `<ul>${advice(percent)
        .map((line) => `<li>${escape(line)}</li>`)
        .join("")}</ul>`,
      button(usageUrl, label),
    ]),
  }
}
