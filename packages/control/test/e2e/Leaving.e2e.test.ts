/** A customer who leaves: everything they had comes to them, and then nothing of them is left in the cluster. */
import { gunzipSync } from "node:zlib"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import { namespaceOf } from "@berth/domain/Ids"
import { freshDatabase } from "@berth/domain/testing/FreshDatabase"
import { freshRedis } from "@berth/domain/testing/FreshRedis"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { HttpClient } from "effect/http"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { client, email, get } from "../../src/demo/Customer.ts"
import * as Inbox from "../../src/demo/Inbox.ts"
import { tellStory } from "../../src/demo/Story.ts"
import * as BerthProcess from "./BerthProcess.ts"

const Mails = Schema.Array(Schema.Struct({ to: Schema.String, subject: Schema.String, text: Schema.String }))
const Objects = Schema.Array(
  Schema.Struct({
    kind: Schema.String,
    metadata: Schema.Struct({ name: Schema.String, namespace: Schema.optionalKey(Schema.String) }),
  }),
)
const http = Layer.mergeAll(FetchHttpClient.layer, NodeSocket.layerWebSocketConstructor)

describe("a customer who leaves", () => {
  it.live(
    "is told of each step, fetches their conversation by the mail's link, and leaves nothing behind but their tombstone",
    () =>
      Effect.gen(function* () {
        const berth = yield* BerthProcess.make({
          DATABASE_URL: Redacted.value(yield* freshDatabase),
          REDIS_URL: yield* freshRedis,
        })
        const { origin, proxyOrigin } = berth
        const { accountId, bearer } = yield* tellStory({
          origin,
          proxyOrigin,
          botUsername: "leaving_bot",
          toTheEnd: false,
        })
        const api = yield* client(origin, bearer)
        const inbox = yield* Inbox.open(origin, bearer)

        const refused = yield* Effect.flip(api.account.deletion({ payload: { confirm: "another_bot" } }))
        assert.strictEqual(refused._tag, "Rejected")
        yield* api.account.deletion({ payload: { confirm: "leaving_bot" } })
        yield* inbox.waitFor("export", (event) => event._tag === "exported", "60 seconds")
        const gone = yield* api.account.agent().pipe(
          Effect.filterOrFail(({ phase }) => phase === "deleted"),
          Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 150 }),
        )
        assert.isNotNull(gone.export)

        const mail = yield* get(`${origin}/dev/mail`, Mails).pipe(
          Effect.map((mails) => mails.filter(({ subject }) => subject.startsWith("Your agent's data is ready"))),
          Effect.filterOrFail((mails) => mails.length > 0),
          Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 50 }),
        )
        assert.deepStrictEqual([mail.length, mail[0]?.to], [1, email])
        const link = /^Fetch it: (\S+)$/m.exec(mail[0]?.text ?? "")?.[1] ?? ""
        assert.strictEqual(link, gone.export.url, "page and mail tell the same link")
        const data = yield* HttpClient.get(link).pipe(Effect.flatMap((response) => response.arrayBuffer))
        const archive = gunzipSync(data).toString("latin1")
        assert.include(archive, "payload/posix/data/state/agents/main/conversation.json")
        assert.include(archive, "Write a Python function that reverses a string", "what they talked about")

        const objects = yield* get(`${origin}/dev/cluster`, Objects)
        const left = objects.filter(
          ({ metadata }) => metadata.name.includes(accountId) || metadata.namespace === namespaceOf(accountId),
        )
        // What the operator keeps of itself, and what Kubernetes forgets within the hour.
        const kept = ["berth-agents ConfigMap", "default Event"]
        assert.deepStrictEqual(
          left.filter(({ kind, metadata }) => !kept.includes(`${metadata.namespace} ${kind}`)),
          [],
        )
        assert.deepStrictEqual(
          Object.values((yield* berth.stripe).subscriptions).map(({ status }) => status),
          ["canceled"],
        )
        const again = yield* Effect.flip(api.account.deletion({ payload: { confirm: "leaving_bot" } }))
        assert.strictEqual(again._tag, "Conflict")
      }).pipe(Effect.scoped, Effect.provide(http)),
    120_000,
  )
})
