import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { check } from "../src/Check.ts"
import { maxPictures, pictureBound, pictureLikely } from "../src/Parts.ts"
import { randomOf } from "./texts/Random.ts"
import * as Stub from "./StubUpstream.ts"
import * as World from "./World.ts"

const png = `data:image/png;base64,${"iVBORw0KGgo".repeat(4_000)}`
const picture = (url: unknown = png) => ({ type: "image_url", image_url: { url } })
const text = { type: "text", text: "What is this?" }
const bodyOf = (...parts: ReadonlyArray<unknown>) => World.chatBody({ messages: [{ role: "user", content: parts }] })

const checked = (body: unknown) => check(Buffer.from(typeof body === "string" ? body : JSON.stringify(body)), "pro")
const refused = (body: unknown) =>
  Effect.map(Effect.flip(checked(body)), (refusal) => (refusal._tag === "InvalidRequest" ? refusal.message : "?"))

/** Tokens of a picture, by the resize rule of Kimi K2.5 and K2.6 as their processor's configuration gives it. */
const tokensOf = (width: number, height: number): number => {
  const [patch, merged, most, mostSide] = [14, 2, 16_384, 512]
  const patches = (side: number) => Math.max(1, Math.floor(side / patch))
  const scale = Math.min(
    1,
    Math.sqrt(most / (patches(width) * patches(height))),
    (mostSide * patch) / width,
    (mostSide * patch) / height,
  )
  const side = (pixels: number) =>
    Math.ceil(Math.min(mostSide * patch, Math.max(1, Math.floor(pixels * scale))) / (patch * merged))
  return side(width) * side(height)
}

describe("a picture", () => {
  it.effect("counts by a fixed bound, and its data not as text", () =>
    Effect.gen(function* () {
      const none = yield* checked(bodyOf(text))
      const two = yield* checked(bodyOf(text, picture(), picture()))
      assert.approximately(two.prompt, none.prompt + 2 * pictureBound, 120)
      assert.approximately(two.likelyPrompt, none.likelyPrompt + 2 * pictureLikely, 80)
      assert.isDefined(none.profile)
      assert.isUndefined(two.profile, "its count would teach nothing about text")
    }),
  )
  it("has no more tokens than that, whatever its size", () => {
    const random = randomOf(3)
    let most = 0
    // Just below a whole patch more, where rounding gains most.
    for (let one = 13; one < 9_000; one += 14) {
      for (let other = 13; other < 9_000; other += 14) most = Math.max(most, tokensOf(one, other))
    }
    for (let tried = 0; tried < 200_000; tried++) {
      most = Math.max(most, tokensOf(1 + random.below(20_000), 1 + random.below(20_000)))
    }
    assert.isAtMost(most, pictureBound - 8)
    assert.isAbove(most, pictureBound * 0.98)
    assert.strictEqual(tokensOf(1_024, 1_024), pictureLikely)
  })
  it.effect("may be an address, alone or in an object, and have its slashes escaped", () =>
    Effect.gen(function* () {
      for (const url of ["https://example.org/cat.png", "http://example.org/cat.png", png]) {
        assert.strictEqual((yield* checked(bodyOf(picture(url)))).shape.pictures.length, 1)
        assert.strictEqual((yield* checked(bodyOf({ type: "image_url", image_url: url }))).shape.pictures.length, 1)
        const escaped = JSON.stringify(bodyOf(picture(url))).replaceAll("/", "\\/")
        assert.strictEqual((yield* checked(escaped)).shape.pictures.length, 1)
      }
    }),
  )
  it.effect("of more than are taken is refused", () =>
    Effect.gen(function* () {
      const many = (count: number) =>
        bodyOf(...Array.from({ length: count }, () => picture("data:image/gif;base64,R0")))
      assert.strictEqual((yield* checked(many(maxPictures))).shape.pictures.length, maxPictures)
      assert.include(yield* refused(many(maxPictures + 1)), `${maxPictures} pictures`)
    }),
  )
  it.live("reaches the upstream byte for byte", () =>
    Effect.gen(function* () {
      const alice = World.customer("pictures")
      const world = yield* World.start({ customers: [alice], behaviour: Stub.either({ prompt: 3_000, completion: 5 }) })
      const body = bodyOf(text, picture())
      assert.strictEqual((yield* World.chat(world, alice.token, body)).status, 200)
      assert.deepStrictEqual(world.stub.received[0]?.body.messages, body.messages)
      assert.strictEqual((yield* world.settled(alice)).used, 3_005)
    }),
  )
})

describe("a part that is neither text nor a picture", () => {
  const doors: ReadonlyArray<unknown> = [
    { type: "video_url", video_url: { url: "ms://file-1" } },
    { type: "video_url", video_url: { url: "data:video/mp4;base64,AAAA" } },
    { type: "input_audio", input_audio: { data: "AAAA", format: "wav" } },
    { type: "file", file: { file_id: "file-1" } },
    { type: "image_url", image_url: { url: "ms://file-1" } },
    { type: "image_url", image_url: { url: "data:video/mp4;base64,AAAA" } },
    { type: "image_url", image_url: { url: "data:application/pdf;base64,AAAA" } },
    { type: "image_url", image_url: { url: "file:///etc/passwd" } },
    { type: "image_url", image_url: { url: 7 } },
    { type: "image_url", image_url: {} },
    { type: "image_url" },
    { type: "image_url", image_url: null },
    { ...text, image_url: { url: png } },
    { text: "no type" },
    { type: null, text: "no type" },
    "bare words",
    [text],
    null,
  ]
  for (const part of doors) {
    it.effect(`is refused: ${JSON.stringify(part).slice(0, 90)}`, () =>
      Effect.gen(function* () {
        const words = yield* refused(bodyOf(text, part))
        assert.isAbove(words.length, 20)
      }),
    )
  }
  it.effect("is refused however it is spelled", () =>
    Effect.gen(function* () {
      const spellings = [
        String.raw`{"type":"\u0076ideo_url","video_url":{"url":"ms://f"}}`,
        String.raw`{"t\u0079pe":"video_url","video_url":{"url":"ms://f"}}`,
        String.raw`{"type":"text","t\u0079pe":"video_url","text":"hi"}`,
        `{"type":"text","type":"video_url","text":"hi"}`,
        String.raw`{"type":"image_url","image_url":{"url":"data:image/png;base64,AA","\u0075rl":"ms://f"}}`,
        `{"type":"image_url","image_url":{"url":"data:image/png;base64,AA","url":"ms://f"}}`,
        `{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"},"image_url":{"url":"ms://f"}}`,
        String.raw`{"type":"image_url","image_url":{"url":"\u0064ata:image/png;base64,AA"}}`,
      ]
      for (const part of spellings) {
        yield* refused(`{"model":"kimi-k2.6","messages":[{"role":"user","content":[${part}]}]}`)
      }
    }),
  )
  it.effect("matters only in a message's content", () =>
    Effect.gen(function* () {
      const schema = { type: "object", properties: { content: { enum: [[{ type: "video_url" }]] } } }
      const tool = { type: "function", function: { name: "save", parameters: schema } }
      const messages = [{ role: "user", content: '[{"type":"video_url"}]' }]
      yield* checked(World.chatBody({ messages, tools: [tool] }))
    }),
  )
})
