/**
 * `/dev`: what stands behind the embedded services. Pages for a person, JSON for a client that asks for it. They show
 * everything, secrets of the memory cluster included, so `LoopbackOnly` must stand before them.
 */
import { Cluster } from "@berth/operator/Cluster"
import { type KindName, kinds } from "@berth/operator/Kinds"
import type { Stored } from "@berth/operator/Manifest"
import { EmbeddedKimi } from "@berth/proxy/embedded/Kimi"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { escape, page } from "./Html.ts"

/** JSON for a client that asks for it, else the page. */
const either = <A, R>(data: Effect.Effect<A, never, R>, html: (data: A) => string) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const found = yield* data
    return (request.headers["accept"] ?? "").includes("application/json")
      ? HttpServerResponse.jsonUnsafe(found)
      : HttpServerResponse.html(html(found))
  })

const listed = [
  ["telegram", "/dev/telegram", "Telegram", "Make a bot, write to it, open the links of the conversation."],
  ["mail", "/dev/mail", "Mailbox", "Every mail that Berth sent."],
  ["stripe", "/dev/stripe", "Stripe", "Checkouts, subscriptions and invoices."],
  ["kimi", "/dev/kimi", "Kimi", "What the model answered, and what it would have billed."],
  ["cluster", "/dev/cluster", "Cluster", "The objects that the operator made, and the pods."],
] as const

/** Names of embedded ports that have a page. */
export const places = listed.map(([name]) => name)
export type Place = (typeof places)[number]

/** The index of the pages that are there. */
export const index = (embedded: ReadonlySet<Place>) =>
  HttpRouter.add(
    "GET",
    "/dev",
    HttpServerResponse.html(
      page(
        "Behind the embedded services",
        "These pages exist only here, where nothing real is connected.",
        listed
          .filter(([name]) => embedded.has(name))
          .map(([, path, title, lead]) => `<article><h2><a href="${path}">${title}</a></h2><p>${lead}</p></article>`)
          .join(""),
      ),
    ),
  )

const time = (millis: number) => DateTime.formatIso(DateTime.makeUnsafe(millis)).slice(11, 19)

export const kimi = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { served } = yield* EmbeddedKimi
    yield* router.add(
      "GET",
      "/dev/kimi",
      either(served, (answers) =>
        page(
          "Kimi",
          "Every answer of the embedded model with the usage it reported, newest first.",
          `<article class="scroll"><table><tr><th>UTC</th><th>model</th><th class="number">prompt</th>
<th class="number">cached</th><th class="number">completion</th><th></th></tr>${answers
            .slice(0, 200)
            .map(
              ({ at, model, usage, whole }) =>
                `<tr><td>${time(at)}</td><td>${escape(model)}</td><td class="number">${usage.prompt}</td>
<td class="number">${usage.cached}</td><td class="number">${usage.completion}</td><td>${whole ? "" : "cut off"}</td></tr>`,
            )
            .join("")}</table></article>`,
        ),
      ),
    )
  }),
)

const nameOf = ({ kind, metadata }: Stored) => `${kind} ${metadata.name}`

const clusterPage = (objects: ReadonlyArray<Stored>): string => {
  const groups = Map.groupBy(objects, ({ metadata }) => metadata.namespace ?? "")
  return page(
    "Cluster",
    "The objects of the memory cluster by namespace, as an API server would show them.",
    [...groups]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(
        ([namespace, own]) =>
          `<article><h2>${namespace === "" ? "Cluster-wide" : escape(namespace)}</h2>${own
            .map(
              (object) =>
                `<details><summary>${escape(nameOf(object))}</summary><pre>${escape(JSON.stringify(object, null, 2))}</pre></details>`,
            )
            .join("")}</article>`,
      )
      .join(""),
  )
}

export const cluster = HttpRouter.use(
  Effect.fnUntraced(function* (router) {
    const { list } = yield* Cluster
    const names = Object.keys(kinds) as ReadonlyArray<KindName>
    const objects = Effect.forEach(names, (kind) => list(kind)).pipe(
      Effect.map((lists) => lists.flatMap(({ items }) => items)),
      Effect.orDie,
    )
    yield* router.add("GET", "/dev/cluster", either(objects, clusterPage))
  }),
)
