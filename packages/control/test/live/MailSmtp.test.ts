import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as MailSmtp from "../../src/live/MailSmtp.ts"
import { Mailer } from "../../src/notify/Mailer.ts"

/** As much of an SMTP server as a mail needs; `refuse` maps a command to its answer. */
const smtp = (refuse: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const messages: Array<string> = []
      const server = createServer((socket) => {
        let inData = false
        let data = ""
        socket.write("220 test ESMTP\r\n")
        socket.on("error", () => undefined)
        socket.on("data", (chunk) => {
          if (inData) {
            data += chunk.toString()
            if (!data.endsWith("\r\n.\r\n")) return
            messages.push(data)
            inData = false
            data = ""
            return void socket.write("250 kept\r\n")
          }
          for (const line of chunk.toString().split("\r\n").filter(Boolean)) {
            const command = line.split(/[ :]/)[0]?.toUpperCase() ?? ""
            const refusal = refuse[command]
            if (refusal !== undefined) socket.write(`${refusal}\r\n`)
            else if (command === "DATA") {
              inData = true
              socket.write("354 go on\r\n")
            } else if (command === "QUIT") socket.end("221 bye\r\n")
            else socket.write("250 ok\r\n")
          }
        })
      })
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
      return { messages, server, url: Redacted.make(`smtp://127.0.0.1:${(server.address() as AddressInfo).port}`) }
    }),
    ({ server }) => Effect.sync(() => server.close()),
  )

const mail = {
  id: "mail:welcome:ord_1",
  to: "ann@example.com",
  subject: "Your agent is live! Message @ann_bot",
  text: "plain words",
  html: "<p>marked up</p>",
}

const from = "Berth <hello@berth.example>"

const send = (url: Redacted.Redacted<string>) =>
  Mailer.use((mailer) => mailer.send(mail)).pipe(Effect.provide(MailSmtp.layer({ url, from })))

describe("mail over SMTP", () => {
  it.live("carries both bodies and, on every try, the Message-ID of its event", () =>
    Effect.gen(function* () {
      const { messages, url } = yield* smtp()
      yield* send(url)
      yield* send(url)
      assert.lengthOf(messages, 2)
      for (const message of messages) {
        assert.match(message, /^Message-ID: <mail-welcome-ord_1@berth\.example>\r$/im)
        assert.match(message, /^To: ann@example\.com\r$/m)
        assert.include(message, "plain words")
        assert.include(message, "<p>marked up</p>")
      }
    }).pipe(Effect.scoped),
  )

  it.live("a recipient that does not exist is final, a full mailbox or a refused sender is not", () =>
    Effect.gen(function* () {
      const tagFor = (refuse: Record<string, string>) =>
        Effect.gen(function* () {
          const { url } = yield* smtp(refuse)
          return (yield* Effect.flip(send(url)))._tag
        })
      assert.strictEqual(yield* tagFor({ RCPT: "550 no such user" }), "MailRejected")
      assert.strictEqual(yield* tagFor({ RCPT: "452 mailbox full" }), "MailUndelivered")
      assert.strictEqual(yield* tagFor({ MAIL: "550 sender refused" }), "MailUndelivered")
    }).pipe(Effect.scoped),
  )

  it.live("a server that is away is worth another try", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(send(Redacted.make("smtp://127.0.0.1:1")))
      assert.strictEqual(error._tag, "MailUndelivered")
    }),
  )
})
