/** The mail that says what is wrong with an agent that only its owner can mend, and what to do. Pure. */
import { button, escape, help, page } from "./MailPage.ts"
import type { Mail } from "./Mailer.ts"

export interface TroubleNews {
  readonly id: string
  readonly to: string
  readonly botUsername: string
  /** What is wrong and what to do, in words. */
  readonly message: string
  /** Where the customer sees how the agent is. */
  readonly agentUrl: string
}

export const troubleMail = ({ id, to, botUsername, message, agentUrl }: TroubleNews): Mail => {
  const subject = `Your agent @${botUsername} needs your help`
  return {
    id,
    to,
    subject,
    text: [subject, "", message, "", `See how it is: ${agentUrl}`, "", help, "", "Berth"].join("\n"),
    html: page(subject, [`<p>${escape(message)}</p>`, button(agentUrl, "See your agent")]),
  }
}
