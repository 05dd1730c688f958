import { assert, describe, it } from "@effect/vitest"
import { exportMail } from "../../src/notify/ExportMail.ts"
import { sizeWords } from "../../src/notify/SizeWords.ts"

describe("the mail with an export", () => {
  const mail = exportMail({
    id: "mail:export:ada:7",
    to: "ada@example.com",
    botUsername: "ada_bot",
    size: 4_200_000,
    expiresAt: Date.UTC(2026, 11, 30),
    url: "https://berth.test/api/exports/ada.7.1.x?a=1&b=2",
  })

  it("has the link, how long it works, how large it is and how to go on with it, in text and HTML alike", () => {
    assert.include(mail.text, "Fetch it: https://berth.test/api/exports/ada.7.1.x?a=1&b=2")
    assert.include(mail.html, 'href="https://berth.test/api/exports/ada.7.1.x?a=1&amp;b=2"')
    for (const body of [mail.text, mail.html])
      for (const part of ["December 30, 2026", "4.2 MB", "openclaw backup restore", "@ada_bot"])
        assert.include(body, part)
  })

  it("tells sizes as people say them", () => {
    assert.deepStrictEqual([0, 512, 1_500, 999_999, 4_200_000, 123_456_789, 5_000_000_000].map(sizeWords), [
      "0 bytes",
      "512 bytes",
      "1.5 KB",
      "1000 KB",
      "4.2 MB",
      "123 MB",
      "5.0 GB",
    ])
  })
})
