/** A client of bare sockets that says exactly what a test wants said, and what must hold after it is gone. */
import { connect, type Socket } from "node:net"
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as World from "../World.ts"

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
}

export interface Heard {
  readonly answers: ReadonlyArray<Answer>
  /** What came but is no whole answer. */
  readonly rest: string
  /** The other side ended the connection, rather than this one for hearing nothing more. */
  readonly closed: boolean
  /** Code of the error that ended it. */
  readonly error: string | undefined
}

/** Cuts a byte stream into answers. Every one of ours has a length, is chunked, or has no body by its status. */
export const answersIn = (stream: string): { answers: ReadonlyArray<Answer>; rest: string } => {
  const answers: Array<Answer> = []
  let rest = stream
  for (;;) {
    const end = rest.indexOf("\r\n\r\n")
    const match = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/.exec(rest)
    if (end === -1 || match === null) return { answers, rest }
    const status = Number(match[1])
    const lines = rest.slice(match[0].length, end).split("\r\n")
    const headers = Object.fromEntries(
      lines
        .filter((line) => line !== "")
        .map((line) => [line.split(":")[0]?.toLowerCase(), line.replace(/^[^:]*:\s*/, "")]),
    )
    let after = rest.slice(end + 4)
    let text = ""
    if (headers["transfer-encoding"] === "chunked") {
      for (;;) {
        const size = /^([0-9a-f]+)\r\n/i.exec(after)
        if (size === null) return { answers, rest }
        const bytes = Number.parseInt(size[1] as string, 16)
        if (after.length < size[0].length + bytes + 2) return { answers, rest }
        text += after.slice(size[0].length, size[0].length + bytes)
        after = after.slice(size[0].length + bytes + 2)
        if (bytes === 0) break
      }
    } else if (status >= 200) {
      const length = Number(headers["content-length"] ?? 0)
      if (after.length < length) return { answers, rest }
      text = after.slice(0, length)
      after = after.slice(length)
    }
    answers.push({ status, headers, text })
    rest = after
  }
}

export const portOf = (world: World.World): number => Number(new URL(world.url).port)

export interface Saying {
  /** Milliseconds between the pieces. */
  readonly pauseMillis?: number
  /** How long to go on listening while nothing comes. */
  readonly quietMillis?: number
  /** The connection ends after so many answers. */
  readonly enough?: number
  readonly localAddress?: string
  /** Reads nothing before all of it is written, as simple clients do. */
  readonly deaf?: boolean
}

/** Says the pieces, one after the other, and listens until the other side closes or there is enough. */
export const say = (
  world: World.World,
  pieces: string | ReadonlyArray<string | Uint8Array>,
  { pauseMillis = 0, quietMillis = 3_000, enough = Number.POSITIVE_INFINITY, localAddress, deaf = false }: Saying = {},
): Effect.Effect<Heard> =>
  Effect.callback((resume) => {
    let heard = ""
    let error: string | undefined
    const socket: Socket = connect({
      port: portOf(world),
      host: "127.0.0.1",
      ...(localAddress === undefined ? {} : { localAddress }),
    })
    let timer: NodeJS.Timeout | undefined
    const finish = (closed: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resume(Effect.succeed({ ...answersIn(heard), closed, error }))
    }
    const listen = () => {
      clearTimeout(timer)
      timer = setTimeout(() => finish(false), quietMillis)
    }
    const all = typeof pieces === "string" ? [pieces] : pieces
    const speak = (index: number) => {
      const piece = all[index]
      if (piece === undefined) socket.resume()
      if (piece === undefined || socket.destroyed || !socket.writable) return
      listen()
      const next = () => (pauseMillis > 0 ? setTimeout(() => speak(index + 1), pauseMillis) : speak(index + 1))
      if (socket.write(piece)) next()
      else socket.once("drain", next)
    }
    socket.on("connect", () => speak(0))
    socket.on("data", (chunk) => {
      listen()
      heard += chunk.toString("latin1")
      if (answersIn(heard).answers.filter((one) => one.status >= 200).length >= enough) finish(false)
    })
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message
    })
    if (deaf) socket.pause()
    socket.on("end", () => finish(true))
    socket.on("close", () => finish(true))
    listen()
    return Effect.sync(() => {
      clearTimeout(timer)
      socket.destroy()
    })
  })

/** The lines of a POST to the chat route, without the last blank one. */
export const head = (token: string, ...more: ReadonlyArray<string>): string =>
  ["POST /v1/chat/completions HTTP/1.1", "host: proxy", `authorization: Bearer ${token}`, ...more, ""].join("\r\n")

export const body = JSON.stringify(World.chatBody({ max_completion_tokens: 100 }))

/** A request that is right in every way. */
export const good = (token: string, text = body): string =>
  `${head(token, `content-length: ${Buffer.byteLength(text)}`)}\r\n${text}`

/** The one answer that was heard is an error in OpenAI's shape; its code. */
export const refusal = (heard: Heard, status: number): { readonly code: string | null; readonly message: string } => {
  assert.strictEqual(heard.answers.length, 1, `${JSON.stringify(heard.answers.map((one) => one.status))} ${heard.rest}`)
  assert.strictEqual(heard.rest, "")
  return errorIn(heard.answers[0] as Answer, status)
}

export const errorIn = (answer: Answer, status: number): { readonly code: string | null; readonly message: string } => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.strictEqual(answer.headers["content-type"], "application/json")
  const { error } = JSON.parse(answer.text)
  assert.deepStrictEqual(Object.keys(error).sort(), ["code", "message", "param", "type"])
  assert.isString(error.message)
  assert.isAbove(error.message.length, 10)
  return error
}

/** A world with one customer, who must be as well off after `hostile` as before: nothing metered, the next request served. */
export const unharmed = <A, E, R>(
  hostile: (world: World.World, who: World.Customer) => Effect.Effect<A, E, R>,
  options: Partial<World.Options> = {},
) =>
  Effect.gen(function* () {
    const who = World.customer("alice")
    const world = yield* World.start({ customers: [who], ...options })
    yield* World.chat(world, who.token)
    const before = yield* world.settled(who)
    const result = yield* hostile(world, who)
    assert.deepStrictEqual(yield* world.view(who), before)
    assert.strictEqual(world.stub.received.length, 1)
    assert.strictEqual((yield* world.events).length, 1)
    assert.strictEqual((yield* World.chat(world, who.token)).status, 200)
    assert.isAbove((yield* world.settled(who)).used, before.used)
    return result
  })
