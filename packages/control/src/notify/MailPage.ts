/** How a mail of Berth looks as HTML, and the one line of help under each. Pure. Whatever comes from outside is escaped. */

export const help = "Something not right? Reply to this mail and a person answers."

export const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

export const button = (url: string, label: string): string =>
  `<p><a href="${escape(url)}" style="display:inline-block;padding:10px 18px;border-radius:8px;background:#1b1f24;color:#fff;text-decoration:none">${escape(label)}</a></p>`

/** `body` is HTML already. */
export const page = (title: string, body: ReadonlyArray<string>): string => `<!doctype html>
<html lang="en"><body style="margin:0;background:#f4f5f7;font:16px/1.5 system-ui,sans-serif;color:#1b1f24">
<div style="max-width:520px;margin:24px auto;padding:28px;background:#fff;border-radius:12px">
<h1 style="margin:0 0 12px;font-size:22px">${escape(title)}</h1>
${body.join("\n")}
<p style="color:#5c6570;font-size:14px">${help}</p>
</div></body></html>`
