import { assert, describe, it } from "@effect/vitest"
import { troubleMail } from "../../src/notify/TroubleMail.ts"

const news = {
  id: "mail:trouble:ord_1:BotTokenRejected:20787",
  to: "a@b.c",
  botUsername: "ann_bot",
  message: "Telegram rejects your bot's token. Send us the current one.",
  agentUrl: "http://berth.test/usage",
}

describe("the mail about an agent in trouble", () => {
  it("says in both bodies what is wrong, what to do and where to look", () => {
    const mail = troubleMail(news)
    assert.strictEqual(mail.subject, "Your agent @ann_bot needs your help")
    for (const body of [mail.text, mail.html]) {
      assert.include(body, "Send us the current one.")
      assert.include(body, "http://berth.test/usage")
      assert.include(body, "Reply to this mail")
    }
  })

  it("lets nothing break out of the HTML", () => {
    assert.notInclude(troubleMail({ ...news, message: "<script>" }).html, "<script>")
  })
})
