/** The mail that says an agent is live: where to talk to it, what was bought, where help is. Pure. */
import { headline, type SoldTierId, tiers } from "@berth/domain/Tiers"
import { liveWords } from "./LiveWords.ts"
import type { Mail } from "./Mailer.ts"

export interface Welcome {
  readonly id: string
  readonly to: string
  readonly botUsername: string
  readonly tier: SoldTierId
  /** Opens the bot's chat. */
  readonly botUrl: string
  /** Where the customer's usage page is. */
  readonly usageUrl: string
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const grouped = (tokens: number): string => tokens.toLocaleString("en-US")

export const welcomeMail = ({ id, to, botUsername, tier, botUrl, usageUrl }: Welcome): Mail => {
  const live = liveWords(botUsername)
  const offer = headline(tiers[tier])
  const allowance = `${grouped(tiers[tier].monthlyTokens)} tokens a month`
  const help = "Something not right? Reply to this mail and a person answers."
  return {
    id,
    to,
    subject: live,
    text: [
      live,
      "",
      `Talk to it: ${botUrl}`,
      "",
      `Your plan: ${offer}`,
      `Included: ${allowance}`,
      `Your usage: ${usageUrl}`,
      "",
      help,
      "",
      "Berth",
    ].join("\n"),
    html: `<!doctype html>
<html lang="en"><body style="margin:0;background:#f4f5f7;font:16px/1.5 system-ui,sans-serif;color:#1b1f24">
<div style="max-width:520px;margin:24px auto;padding:28px;background:#fff;border-radius:12px">
<h1 style="margin:0 0 12px;font-size:22px">Your agent is live!</h1>
<p>Message <a href="${escape(botUrl)}"><strong>@${escape(botUsername)}</strong></a> in Telegram and say hello.</p>
<p><a href="${escape(botUrl)}" style="display:inline-block;padding:10px 18px;border-radius:8px;background:#1b1f24;color:#fff;text-decoration:none">Open Telegram</a></p>
<p style="margin-top:24px">Your plan: <strong>${escape(offer)}</strong><br>Included: ${allowance}<br><a href="${escape(usageUrl)}">See your usage</a></p>
<p style="color:#5c6570;font-size:14px">${help}</p>
</div></body></html>`,
  }
}
