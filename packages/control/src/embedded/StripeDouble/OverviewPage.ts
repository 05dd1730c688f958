/** What the embedded Stripe holds, as a page for people at the machine. Pure. */
import { headline, tiers } from "@berth/domain/Tiers"
import * as DateTime from "effect/DateTime"
import { escape, page } from "../Html.ts"
import type { World } from "./World.ts"

const day = (seconds: number): string => DateTime.formatIso(DateTime.makeUnsafe(seconds * 1000)).slice(0, 10)

const table = (title: string, heads: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  `<article><h2>${title}</h2>${
    rows.length === 0
      ? '<p class="quiet">None yet.</p>'
      : `<div class="scroll"><table><tr>${heads.map((head) => `<th>${head}</th>`).join("")}</tr>${rows
          .map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`)
          .join("")}</table></div>`
  }</article>`

export const overviewPage = ({ sessions, subscriptions, invoices, deliveries }: World): string =>
  page(
    "Stripe",
    "Checkouts, subscriptions and invoices of the embedded Stripe, newest first.",
    [
      table(
        "Checkouts",
        ["order", "plan", "e-mail", "status"],
        Object.values(sessions)
          .toReversed()
          .map((session) => [
            session.status === "open"
              ? `<a href="/dev/stripe/checkout/${encodeURIComponent(session.id)}">${escape(session.orderId ?? session.id)}</a>`
              : escape(session.orderId ?? session.id),
            escape(headline(tiers[session.tier])),
            escape(session.email ?? ""),
            session.status,
          ]),
      ),
      table(
        "Subscriptions",
        ["id", "plan", "status", "period"],
        Object.values(subscriptions)
          .toReversed()
          .map(({ id, tier, status, periodStart, periodEnd }) => [
            escape(id),
            escape(headline(tiers[tier])),
            status,
            `${day(periodStart)} to ${day(periodEnd)}`,
          ]),
      ),
      table(
        "Paid invoices",
        ["id", "amount", "period"],
        Object.values(invoices)
          .toReversed()
          .map(({ id, tier, periodStart, periodEnd }) => [
            escape(id),
            `$${tiers[tier].monthlyCents / 100}`,
            `${day(periodStart)} to ${day(periodEnd)}`,
          ]),
      ),
      table(
        "Webhooks on their way",
        ["event", "tries"],
        deliveries.map(({ id, attempts }) => [escape(id), String(attempts)]),
      ),
    ].join("\n"),
  )
