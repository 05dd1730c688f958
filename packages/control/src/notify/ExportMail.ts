/** The mail that says where the data of a deleted agent can be fetched, until when, and what to do with it. Pure. */
import { dayOf } from "./AlertWords.ts"
import { button, escape, help, page } from "./MailPage.ts"
import type { Mail } from "./Mailer.ts"
import { sizeWords } from "./SizeWords.ts"

export interface ExportNews {
  readonly id: string
  readonly to: string
  readonly botUsername: string
  /** Bytes. */
  readonly size: number
  /** Epoch ms. */
  readonly expiresAt: number
  readonly url: string
}

export const exportMail = ({ id, to, botUsername, size, expiresAt, url }: ExportNews): Mail => {
  const subject = `Your agent's data is ready: @${botUsername}`
  const what = `Everything that your agent @${botUsername} had on its storage, ${sizeWords(size)}, packed as OpenClaw packs its own backups.`
  const until = `The link works until ${dayOf(expiresAt)}. After that we delete the data; there is no other copy.`
  const secret = "Whoever has the link can fetch the data, so don't pass it on."
  const restore = "To go on with it elsewhere: openclaw backup restore <file> --target <folder>"
  return {
    id,
    to,
    subject,
    text: [subject, "", what, "", `Fetch it: ${url}`, "", until, secret, "", restore, "", help, "", "Berth"].join("\n"),
    html: page("Your agent's data is ready", [
      `<p>${escape(what)}</p>`,
      button(url, "Fetch your data"),
      `<p>${escape(until)} ${escape(secret)}</p>`,
      `<p style="color:#5c6570;font-size:14px">${escape(restore)}</p>`,
    ]),
  }
}
