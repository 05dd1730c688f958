import { assert, describe, it } from "@effect/vitest"
import { alertMail } from "../../src/notify/AlertMail.ts"

const news = {
  id: "mail:alert:ann:0:5000000:80",
  to: "a@b.c",
  period: 0,
  used: 4_012_345,
  limit: 5_000_000,
  percent: 80 as const,
  resetsAt: Date.UTC(2026, 11, 24, 23, 59),
  usageUrl: "http://berth.test/usage",
}

describe("the alert mail", () => {
  it("says in both bodies how much is used, until when, and what can be done where", () => {
    const mail = alertMail(news)
    assert.strictEqual(mail.subject, "80% of this month's tokens are used.")
    for (const body of [mail.text, mail.html]) {
      assert.include(body, "4,012,345 of 5,000,000 tokens")
      assert.include(body, "December 24, 2026")
      assert.include(body, "Set a daily cap")
      assert.include(body, "http://berth.test/usage")
      assert.include(body, "Reply to this mail")
    }
  })

  it("says when all is used up when the agent answers again and where to top up", () => {
    const mail = alertMail({ ...news, percent: 100, used: 5_000_000 })
    assert.strictEqual(mail.subject, "This month's tokens are used up.")
    for (const body of [mail.text, mail.html]) {
      assert.include(body, "Your agent answers again on December 24, 2026")
      assert.match(body, /Top up(: |<)/)
      assert.include(body, "http://berth.test/usage")
    }
  })

  it("lets no address break out of the HTML", () => {
    assert.notInclude(alertMail({ ...news, usageUrl: 'http://x/"><script>' }).html, "<script>")
  })
})
