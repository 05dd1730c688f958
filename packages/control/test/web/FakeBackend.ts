/**
 * The customer's HTTP contract over `FakeStory`, with its WebSocket and the built pages on one port: everything that the
 * pages need to be tried by hand (`node test/web/FakeBackend.ts`) or by the screenshots.
 */
import { InspectionUnavailable, NoLogs } from "@berth/domain/AgentInspection"
import { NodeHttpServer, NodeRuntime, NodeServices } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { createServer } from "node:http"
import { NotFound, PublicApi, Rejected } from "../../src/api/Api.ts"
import {
  AdminOnly,
  Authenticated,
  CurrentAccount,
  Forbidden,
  sessionCookie,
  Unauthorized,
} from "../../src/api/Session.ts"
import * as WebBundle from "../../src/pages/WebBundle.ts"
import * as WebRoutes from "../../src/pages/WebRoutes.ts"
import { FakeStory } from "./FakeStory.ts"

const stories = new Map<string, FakeStory>()
/** Milliseconds that a reply and each step take. */
export const pace = { reply: 700, step: 600 }

export const storyOf = (id: string): FakeStory | undefined => stories.get(id)
export const latestStory = (): FakeStory | undefined => [...stories.values()].at(-1)

const mine = Effect.map(CurrentAccount, ({ id }) => stories.get(id)!)
const absent = (what: string) => new NotFound({ message: `No such ${what}.` })

const session = (origin: string) =>
  HttpApiBuilder.group(
    PublicApi,
    "session",
    Effect.fn(function* (handlers) {
      return handlers.handleAll({
        open: Effect.fn(function* () {
          const { cookies } = yield* HttpServerRequest.HttpServerRequest
          const known = stories.get(cookies["berth_session"] ?? "")
          const story = known ?? new FakeStory(`c${stories.size + 1}`, origin)
          stories.set(story.accountId, story)
          yield* HttpApiBuilder.securitySetCookie(sessionCookie, story.accountId, { secure: false, path: "/" })
          return { accountId: story.accountId, token: null }
        }),
      })
    }),
  )

const account = HttpApiBuilder.group(
  PublicApi,
  "account",
  Effect.fn(function* (handlers) {
    return handlers.handleAll({
      agent: () =>
        Effect.flatMap(mine, (story) =>
          Effect.fromNullishOr(story.agent()).pipe(Effect.mapError(() => absent("agent"))),
        ),
      usage: () => Effect.map(mine, (story) => story.usageView()),
      dailyCap: ({ payload: { cap } }) =>
        Effect.flatMap(mine, (story) => {
          story.dailyCap = cap
          return Effect.succeed({ cap })
        }),
      deletion: ({ payload: { confirm } }) =>
        Effect.flatMap(mine, (story) => {
          const wanted = story.agent()?.botUsername
          if (confirm !== wanted)
            return Effect.fail(new Rejected({ message: `To delete your agent, type its name: ${wanted}` }))
          story.leave()
          return Effect.succeed({})
        }),
      order: ({ params }) =>
        Effect.flatMap(mine, (story) =>
          params.id === story.orderId
            ? Effect.succeed({
                id: story.orderId,
                tier: story.tier,
                headline: "",
                status: story.status,
                checkoutUrl: story.status === "open" ? `/dev/fake/pay?account=${story.accountId}` : null,
              })
            : Effect.fail(absent("order")),
        ),
    })
  }),
)

const inspection = HttpApiBuilder.group(
  PublicApi,
  "inspection",
  Effect.fn(function* (handlers) {
    return handlers.handleAll({
      health: () => Effect.map(mine, (story) => story.health()),
      logs: ({ query }) =>
        Effect.flatMap(mine, (story) =>
          query.previous === "true" && story.restarts === 0
            ? Effect.fail(new NoLogs({ message: "There was no run before this one, or its log is gone." }))
            : Effect.succeed({ lines: story.logLines(query.previous === "true") }),
        ),
    })
  }),
)

/** Nobody gets past `AdminOnly` here. */
const staffInspection = HttpApiBuilder.group(
  PublicApi,
  "staffInspection",
  Effect.fn(function* (handlers) {
    return handlers.handleAll({
      health: () => Effect.fail(InspectionUnavailable.now),
      logs: () => Effect.fail(InspectionUnavailable.now),
    })
  }),
)

const chat = HttpApiBuilder.group(
  PublicApi,
  "chat",
  Effect.fn(function* (handlers) {
    return handlers.handleAll({
      open: () => Effect.map(mine, (story) => story.conversation()),
      get: () => Effect.map(mine, (story) => story.conversation()),
      say: ({ payload }) =>
        Effect.gen(function* () {
          const story = yield* mine
          if (payload.text.length > 4_000) {
            return yield* new Rejected({ message: "That is too long. Please keep it under 4,000 characters." })
          }
          yield* Effect.sleep(pace.reply)
          const added = story.say(payload.clientId, payload.text)
          return { conversation: story.conversation(), added }
        }),
      returned: ({ payload }) =>
        Effect.flatMap(mine, (story) =>
          payload.orderId === story.orderId
            ? Effect.succeed({ outcome: story.status === "paid" ? ("accepted" as const) : ("unpaid" as const) })
            : Effect.fail(absent("order")),
        ),
    })
  }),
)

const admin = HttpApiBuilder.group(
  PublicApi,
  "admin",
  Effect.fn(function* (handlers) {
    return handlers.handleAll({ customers: () => Effect.succeed([]) })
  }),
)

const identify = (credential: Redacted.Redacted) => {
  const story = stories.get(Redacted.value(credential))
  return story === undefined
    ? Effect.fail(new Unauthorized({ message: "Open a session first." }))
    : Effect.succeed({ id: story.accountId })
}
const authenticated = Layer.succeed(Authenticated)({
  cookie: (effect, { credential }) => Effect.provideServiceEffect(effect, CurrentAccount, identify(credential)),
  bearer: (effect, { credential }) => Effect.provideServiceEffect(effect, CurrentAccount, identify(credential)),
})
const adminOnly = Layer.succeed(AdminOnly)(() => Effect.fail(new Forbidden({ message: "Not for customers." })))

/** Every event after the wanted seq, then each new one. */
const events = HttpRouter.add(
  "GET",
  "/api/events",
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const story = stories.get(request.cookies["berth_session"] ?? "")
    if (story === undefined) return HttpServerResponse.empty({ status: 401 })
    let seq = Number(new URL(request.url, "http://host").searchParams.get("after"))
    const socket = yield* request.upgrade
    const writer = yield* socket.writer
    const { pull } = yield* socket.reader
    const flush = Effect.suspend(() => {
      const due = story.events.filter((event) => event.seq > seq)
      seq = due.at(-1)?.seq ?? seq
      return Effect.forEach(due, (event) => writer.write(JSON.stringify(event)), { discard: true })
    })
    yield* flush
    const changes = Effect.callback<void>((resume) => {
      const listener = () => resume(Effect.void)
      story.listeners.add(listener)
      return Effect.sync(() => story.listeners.delete(listener))
    })
    yield* Effect.raceFirst(
      Effect.forever(Effect.andThen(Effect.raceFirst(changes, Effect.sleep("100 millis")), flush)),
      Effect.forever(Effect.asVoid(pull)),
    ).pipe(Effect.ignore)
    return HttpServerResponse.empty()
  }).pipe(Effect.scoped),
)

const pay = HttpRouter.add(
  "GET",
  "/dev/fake/pay",
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const story = stories.get(new URL(request.url, "http://host").searchParams.get("account") ?? "")
    if (story === undefined) return HttpServerResponse.empty({ status: 404 })
    story.pay()
    if (pace.step > 0) {
      const timer = setInterval(() => {
        if (!story.advance()) clearInterval(timer)
      }, pace.step)
    }
    return HttpServerResponse.redirect(`/checkout/success?order=${story.orderId}`)
  }),
)

const serve = (port: number, root: string) => {
  const origin = `http://127.0.0.1:${port}`
  const api = HttpApiBuilder.layer(PublicApi).pipe(
    Layer.provide([session(origin), account, inspection, chat, admin, staffInspection]),
    Layer.provide([authenticated, adminOnly]),
  )
  return HttpRouter.serve(Layer.mergeAll(api, events, pay, WebRoutes.layer(root)), {
    disableLogger: true,
    disableListenLog: true,
  }).pipe(Layer.provide(NodeHttpServer.layer(createServer, { port, host: "127.0.0.1" })))
}

export const layer = (port: number) =>
  Layer.unwrap(Effect.map(WebBundle.ensure, ({ root }) => serve(port, root))).pipe(Layer.provide(NodeServices.layer))

if (import.meta.main) {
  const port = Number(process.env["PORT"] ?? 3210)
  console.log(`http://127.0.0.1:${port}`)
  NodeRuntime.runMain(Layer.launch(layer(port)))
}
