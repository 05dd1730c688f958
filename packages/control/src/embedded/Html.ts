/** The look that the embedded services' own pages share: plain HTML, no script, readable on a phone. Pure. */

export const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const style = `
*{box-sizing:border-box}
body{margin:0;padding:20px;background:#f4f5f7;color:#1b1f24;font:16px/1.5 ui-sans-serif,system-ui,sans-serif}
main{max-width:760px;margin:0 auto}
h1{font-size:22px;margin:8px 0 4px}
h1+p{margin:0 0 18px}
article{background:#fff;border-radius:14px;padding:18px 20px;margin:0 0 16px;box-shadow:0 1px 3px rgb(0 0 0/.08)}
h2{margin:0 0 6px;font-size:17px;overflow-wrap:anywhere}
p{margin:2px 0;overflow-wrap:anywhere}
.quiet,summary{color:#5c6570;font-size:14px}
a{color:#2f54d0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:6px 14px 6px 0;border-bottom:1px solid #e3e6ea;white-space:nowrap}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
iframe{width:100%;height:380px;border:1px solid #e3e6ea;border-radius:10px;background:#fff}
summary{cursor:pointer;padding:6px 0}
pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0;font-size:13px}
@media (prefers-color-scheme:dark){body{background:#101216;color:#e7e9ec}article{background:#1a1d23}
.quiet,summary{color:#9aa3ad}iframe,th,td{border-color:#2b3038}a{color:#9db2ff}}`

/** A whole page; `body` is HTML. */
export const page = (title: string, lead: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${escape(title)}</title><style>${style}</style></head>
<body><main><h1>${escape(title)}</h1><p class="quiet">${escape(lead)}</p>${body}</main></body></html>`
