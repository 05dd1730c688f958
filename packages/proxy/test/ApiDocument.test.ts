/** docs/api-proxy.md names the routes, headers and bounds that there are. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { burst, refillMillis } from "../src/BadTokens.ts"
import { maxDepth, maxMembers } from "../src/JsonSpans.ts"
import { maxPictures } from "../src/Parts.ts"
import { maxHeaders, pipelined } from "../src/PublicServer.ts"
import { holdHeaders, rateHeaders } from "../src/RateHeaders.ts"
import { maxMessages, maxTools } from "../src/RequestLists.ts"
import { shapeOf } from "../src/RequestShape.ts"
import { defaults } from "../src/Settings.ts"
import * as World from "./World.ts"

const document = readFileSync(join(import.meta.dirname, "../../../docs/api-proxy.md"), "utf8")
const section = (title: string): string => new RegExp(`## ${title}\n([^]*?)(?:\n## |$)`).exec(document)?.[1] ?? ""

describe("docs/api-proxy.md", () => {
  it("lists the headers that answers have, and no other", () => {
    const named = [...section("Headers of an answer").matchAll(/^\| `([a-z-]+)`/gm)].map((match) => match[1])
    const rate = rateHeaders({ limit: 1, remaining: 1, periodEnd: 0 }, 0)
    const sent = [
      "x-request-id",
      "retry-after",
      ...Object.keys(rate),
      ...Object.keys(holdHeaders({ ask: 1, completion: 1 })),
    ]
    assert.deepStrictEqual(named.sort(), sent.sort())
  })

  it("tells what becomes of each member of a request", () => {
    const rows = [...section("What is sent on").matchAll(/^\| (`.*?) \| (.*) \|$/gm)]
    assert.isAbove(rows.length, 3)
    for (const [, names = "", fate = ""] of rows) {
      for (const [, name = ""] of names.matchAll(/`(\w+)`/g)) {
        const values: Readonly<Record<string, unknown>> = { model: "a", messages: [{ role: "user" }], [name]: null }
        const isNeeded = name === "model" || name === "messages"
        const body = JSON.stringify(isNeeded ? { ...values, model: "a", messages: [{ role: "user" }] } : values)
        const sent = Buffer.from(Result.getOrThrow(shapeOf(Buffer.from(body))).upstream("kimi-k2.6", 7)).toString()
        const isPassed = fate.includes("byte for byte")
        assert.strictEqual(new RegExp(`"${name}":(?!7)`).test(sent), isPassed, name)
      }
    }
  })

  it("names the bounds as they are", () => {
    const grouped = (value: number) => value.toLocaleString("en-US")
    const bounds = section("Bounds")
    for (const value of [
      `${grouped(defaults.bodyBytes)} bytes (\`PROXY_BODY_LIMIT\`)`,
      `| ${maxDepth}, ${maxMembers} |`,
      `| ${grouped(maxMessages)}, ${maxTools}, ${maxPictures} |`,
      `${maxHeaders} fields`,
      `one connection | ${pipelined} |`,
      `\`PROXY_INTAKE_LIMIT\` (${grouped(defaults.intakeBytes)} bytes)`,
    ]) {
      assert.include(bounds, value)
    }
    assert.include(
      document.replaceAll("\n", " "),
      `at most ${burst} times at once from one address, then one each ${refillMillis / 1_000} s`,
    )
  })

  it.live("lists the routes that a customer may call, and no other", () =>
    Effect.gen(function* () {
      const alice = World.customer("alice")
      const world = yield* World.start({ customers: [alice] })
      const listed = [...document.matchAll(/^\| `((?:GET|POST) \/\S+)`/gm)].map((match) => match[1] as string)
      const nowhere = yield* Effect.promise(() => fetch(`${world.url}/`).then((response) => response.text()))
      const told = /Available: ([^"]*)\./.exec(nowhere)?.[1]?.split(", ")
      assert.deepStrictEqual(told, listed)
      for (const route of listed) {
        const [method = "", path = ""] = route.split(" ")
        const answer = yield* Effect.promise(() => fetch(`${world.url}${path.replace("{id}", "x")}`, { method }))
        assert.strictEqual(answer.status, 401, route)
      }
    }),
  )
})
