/** The embedded mailbox as a page: plain HTML, readable on a phone; each mail's own HTML stays shut in a frame. Pure. */
import * as DateTime from "effect/DateTime"
import type { Received } from "../Mailbox.ts"

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const style = `
*{box-sizing:border-box}
body{margin:0;padding:20px;background:#f4f5f7;color:#1b1f24;font:16px/1.5 ui-sans-serif,system-ui,sans-serif}
main{max-width:680px;margin:0 auto}
h1{font-size:22px;margin:8px 0 18px}
article{background:#fff;border-radius:14px;padding:18px 20px;margin:0 0 16px;box-shadow:0 1px 3px rgb(0 0 0/.08)}
h2{margin:0;font-size:17px;overflow-wrap:anywhere}
.meta{margin:2px 0 12px;color:#5c6570;font-size:14px;overflow-wrap:anywhere}
iframe{width:100%;height:380px;border:1px solid #e3e6ea;border-radius:10px;background:#fff}
summary{cursor:pointer;color:#5c6570;font-size:14px;padding:8px 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0;font-size:14px}
@media (prefers-color-scheme:dark){body{background:#101216;color:#e7e9ec}article{background:#1a1d23}
.meta,summary{color:#9aa3ad}iframe{border-color:#2b3038}}`

const mailHtml = (mail: Received): string => `<article>
<h2>${escape(mail.subject)}</h2>
<p class="meta">To ${escape(mail.to)} · ${DateTime.formatIso(DateTime.makeUnsafe(mail.at)).replace("T", " ").slice(0, 19)} UTC</p>
<iframe sandbox="allow-popups" title="${escape(mail.subject)}" srcdoc="${escape(mail.html)}"></iframe>
<details><summary>As plain text</summary><pre>${escape(mail.text)}</pre></details>
</article>`

export const mailboxPage = (mails: ReadonlyArray<Received>): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Mailbox</title><style>${style}</style></head>
<body><main><h1>Mailbox</h1>${
  mails.length === 0
    ? "<article>No mail yet. What Berth sends shows up here.</article>"
    : mails.map(mailHtml).join("\n")
}</main></body></html>`
