import { assert, describe, it } from "@effect/vitest"
import { messageIdOf } from "../../src/notify/Mailer.ts"
import { welcomeMail } from "../../src/notify/WelcomeMail.ts"

const welcome = {
  id: "mail:welcome:ord_1",
  to: "a@b.c",
  botUsername: "ann_bot",
  tier: "pro" as const,
  botUrl: "https://t.me/ann_bot",
  usageUrl: "http://berth.test/usage",
}

describe("the welcome mail", () => {
  it("says in both bodies where to talk, what was bought and where help is", () => {
    const mail = welcomeMail(welcome)
    assert.strictEqual(mail.subject, "Your agent is live! Message @ann_bot")
    for (const body of [mail.text, mail.html]) {
      assert.include(body, "https://t.me/ann_bot")
      assert.include(body, "Pro · $49/mo · 5M tokens/mo")
      assert.include(body, "5,000,000 tokens a month")
      assert.include(body, "http://berth.test/usage")
      assert.include(body, "Reply to this mail")
    }
  })

  it("lets no name break out of the HTML", () => {
    const { html } = welcomeMail({ ...welcome, botUsername: '"><script>', botUrl: 'https://t.me/"><script>' })
    assert.notInclude(html, "<script>")
  })

  it("has a Message-ID that follows from its id alone", () => {
    assert.strictEqual(messageIdOf("mail:welcome:ord_1", "berth.dev"), "<mail-welcome-ord_1@berth.dev>")
  })
})
