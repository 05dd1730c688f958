/** The mail that says an agent is live: where to talk to it, what was bought, where help is. Pure. */
import { headline, type SoldTierId, tiers } from "@berth/domain/Tiers"
import { liveWords } from "./LiveWords.ts"
import { button, escape, help, page } from "./MailPage.ts"
import type { Mail } from "./Mailer.ts"
import { grouped } from "./TokenWords.ts"

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

export const welcomeMail = ({ id, to, botUsername, tier, botUrl, usageUrl }: Welcome): Mail => {
  const live = liveWords(botUsername)
  const offer = headline(tiers[tier])
  const allowance = `${grouped(tiers[tier].monthlyTokens)} tokens a month`
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
    html: page("Your agent is live!", [
      `<p>Message <a href="${escape(botUrl)}"><strong>@${escape(botUsername)}</strong></a> in Telegram and say hello.</p>`,
      button(botUrl, "Open Telegram"),
      `<p style="margin-top:24px">Your plan: <strong>${escape(offer)}</strong><br>Included: ${allowance}<br><a href="${escape(usageUrl)}">See your usage</a></p>`,
    ]),
  }
}
