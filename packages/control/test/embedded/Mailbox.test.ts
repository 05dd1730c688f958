import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as DurableStore from "../../src/embedded/DurableStore.ts"
import { Mailbox } from "../../src/embedded/Mailbox.ts"
import { mailboxPage } from "../../src/embedded/Mailbox/MailboxPage.ts"
import { Mailer } from "../../src/notify/Mailer.ts"

const mail = (id: string) => ({ id, to: "a@b.c", subject: `About ${id}`, text: "t", html: `<p>${id}</p>` })

describe("the embedded mailbox", () => {
  it.effect("keeps each mail once, newest first, across a kill", () =>
    Effect.gen(function* () {
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "berth-mail-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true })),
      )
      const mailbox = Mailbox.mailer.pipe(
        Layer.provideMerge(Mailbox.layer),
        Layer.provide(DurableStore.layer(join(folder, "embedded"))),
        Layer.provide(NodeServices.layer),
      )
      yield* Effect.gen(function* () {
        const mailer = yield* Mailer
        for (const id of ["one", "two", "one"]) yield* mailer.send(mail(id))
      }).pipe(Effect.provide(mailbox))
      const mails = yield* Mailbox.use((box) => box.mails).pipe(Effect.provide(mailbox))
      assert.deepStrictEqual(
        mails.map(({ id }) => id),
        ["two", "one"],
      )
    }).pipe(Effect.scoped),
  )

  it("shows a mail's own HTML shut in a frame", () => {
    const page = mailboxPage([{ ...mail("one"), subject: "<b>", html: '<script>alert("x")</script>', at: 0 }])
    assert.notInclude(page, "<script>")
    assert.notInclude(page, "<b>")
    assert.include(page, "sandbox=")
  })
})
