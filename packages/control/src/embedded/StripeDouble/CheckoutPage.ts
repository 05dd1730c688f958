/** The embedded Stripe's payment page: plain HTML, no script, good on a phone. Pure. */
import { headline, tiers } from "@berth/domain/Tiers"
import { escape } from "../Html.ts"
import type { Session } from "./World.ts"

const style = `
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:20px;background:#eef0f4;color:#1a1f36;
font:16px/1.5 ui-sans-serif,system-ui,-apple-system,"Segoe UI",sans-serif}
main{width:100%;max-width:440px;background:#fff;border-radius:16px;padding:28px;
box-shadow:0 1px 2px rgb(26 31 54/.08),0 12px 32px rgb(26 31 54/.10)}
.test{display:inline-block;padding:2px 10px;border-radius:99px;background:#ffedd5;color:#9a3412;font-size:13px;font-weight:600}
h1{margin:14px 0 2px;font-size:17px;font-weight:500;color:#4f566b}
.price{font-size:38px;font-weight:650;letter-spacing:-.02em}
.price small{font-size:16px;font-weight:400;color:#697386;letter-spacing:0}
dl{margin:18px 0 22px;padding:14px 0;border:solid #e3e8ee;border-width:1px 0}
dl div{display:flex;justify-content:space-between;gap:16px;padding:3px 0}
dt{color:#697386}dd{margin:0;text-align:right;overflow-wrap:anywhere}
.notice{margin:0 0 16px;padding:10px 14px;border-radius:10px;background:#fef2f2;color:#991b1b}
button{width:100%;min-height:48px;border:0;border-radius:10px;font:inherit;font-weight:600;cursor:pointer}
button:focus-visible{outline:3px solid #a5b4fc;outline-offset:2px}
.pay{background:#4f46e5;color:#fff}.pay:hover{background:#4338ca}
.others{display:grid;grid-template-columns:1fr 1fr;gap:10px;margin-top:10px}
.others button{background:#f1f3f7;color:#3c4257}.others button:hover{background:#e3e8ee}
footer{margin-top:20px;color:#697386;font-size:13px}
@media (prefers-color-scheme:dark){body{background:#0f1118;color:#e8eaf0}main{background:#191c26;box-shadow:none}
h1,dt,footer,.price small{color:#9aa3b5}dl{border-color:#2b3040}.others button{background:#262b38;color:#d5d9e3}
.others button:hover{background:#30374a}.notice{background:#3b1518;color:#fecaca}.test{background:#43270f;color:#fdba74}}`

const shell = (title: string, body: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><title>${escape(title)}</title><style>${style}</style></head>
<body><main>${body}</main></body></html>`

const button = (action: string, label: string, kind: string): string =>
  `<form method="post" action="${action}"><button class="${kind}" type="submit">${escape(label)}</button></form>`

export const checkoutPage = (session: Session, notice: string | undefined): string => {
  const tier = tiers[session.tier]
  const price = `$${tier.monthlyCents / 100}`
  const base = `/dev/stripe/checkout/${encodeURIComponent(session.id)}`
  return shell(
    `Pay Berth ${price}`,
    `<span class="test">Test payment</span>
<h1>Subscribe to Berth ${escape(tier.name)}</h1>
<div class="price">${price} <small>per month</small></div>
<dl><div><dt>Plan</dt><dd>${escape(headline(tier))}</dd></div>
<div><dt>E-mail</dt><dd>${escape(session.email ?? "not given")}</dd></div>
<div><dt>Order</dt><dd>${escape(session.orderId ?? "none")}</dd></div>
<div><dt>Due today</dt><dd><strong>${price}.00</strong></dd></div></dl>
${notice === undefined ? "" : `<p class="notice" role="alert">${escape(notice)}</p>`}
${button(`${base}/pay`, `Pay ${price}`, "pay")}
<div class="others">${button(`${base}/decline`, "Decline card", "other")}${button(`${base}/cancel`, "Cancel", "other")}</div>
<footer>The embedded Stripe answers here: no card, no money. Set STRIPE_SECRET_KEY and STRIPE_WEBHOOK_SECRET for the real one.</footer>`,
  )
}

export const closedPage = (session: Session | undefined): string => {
  const words =
    session === undefined
      ? "There is no such checkout."
      : session.status === "complete"
        ? "This checkout is paid."
        : "This checkout has expired. Go back to the chat for a new one."
  const link = session?.status === "complete" ? `<p><a href="${escape(session.successUrl)}">Go on</a></p>` : ""
  return shell("Berth checkout", `<span class="test">Test payment</span><h1>${words}</h1>${link}`)
}
