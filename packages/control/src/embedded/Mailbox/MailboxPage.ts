/** The embedded mailbox as a page: each mail's own HTML stays shut in a frame. Pure. */
import * as DateTime from "effect/DateTime"
import { escape, page } from "../Html.ts"
import type { Received } from "../Mailbox.ts"

const time = (millis: number): string =>
  `${DateTime.formatIso(DateTime.makeUnsafe(millis)).replace("T", " ").slice(0, 19)} UTC`

const mailHtml = (mail: Received): string => `<article>
<h2>${escape(mail.subject)}</h2>
<p class="quiet">To ${escape(mail.to)} · ${time(mail.at)}</p>
<iframe sandbox="allow-popups allow-popups-to-escape-sandbox" title="${escape(mail.subject)}"
srcdoc="${escape(`<base target="_blank">${mail.html}`)}"></iframe>
<details><summary>As plain text</summary><pre>${escape(mail.text)}</pre></details>
</article>`

export const mailboxPage = (mails: ReadonlyArray<Received>): string =>
  page(
    "Mailbox",
    "Every mail that Berth sent, newest first. Set SMTP_URL to send them for real.",
    mails.length === 0 ? "<article>No mail yet.</article>" : mails.map(mailHtml).join("\n"),
  )
