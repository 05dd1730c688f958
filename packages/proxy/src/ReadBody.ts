/**
 * The body of a request, read whole and plain, within the limit of one body and the room that there is for all. On a body
 * beyond either: refused at once, whatever is still on its way. A client that asks whether to send gets its answer here.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import * as Effect from "effect/Effect"
import { BodyEncoded, BodyTooLarge, InvalidRequest, type NoRoom } from "./Errors.ts"

export interface Bounds {
  /** Bytes of one body. */
  readonly limit: number
  /** Told of each piece that came; says why it may not stay. */
  readonly take: (bytes: number) => NoRoom | undefined
}

/** Pieces that are kept as they came. More are joined: each costs some hundred bytes, however short it is. */
const mostPieces = 1_024

const endedEarly = new InvalidRequest({ message: "The request body ended early.", param: null })

export const readBody = (
  incoming: IncomingMessage,
  response: ServerResponse,
  { limit, take }: Bounds,
): Effect.Effect<Buffer, BodyTooLarge | BodyEncoded | InvalidRequest | NoRoom> => {
  const encoding = incoming.headers["content-encoding"]
  if (encoding !== undefined && encoding !== "identity") return Effect.fail(new BodyEncoded())
  if (Number(incoming.headers["content-length"] ?? 0) > limit)
    return Effect.fail(new BodyTooLarge({ limitBytes: limit }))
  return Effect.callback((resume) => {
    const joined: Array<Buffer> = []
    let chunks: Array<Buffer> = []
    let bytes = 0
    const fail = (error: BodyTooLarge | InvalidRequest | NoRoom) => {
      stop()
      incoming.pause()
      resume(Effect.fail(error))
    }
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (chunks.length === mostPieces) {
        joined.push(Buffer.concat(chunks))
        chunks = []
      }
      const noRoom = bytes > limit ? new BodyTooLarge({ limitBytes: limit }) : take(chunk.length)
      if (noRoom !== undefined) fail(noRoom)
    }
    const onEnd = () => {
      stop()
      const all = [...joined, ...chunks]
      resume(Effect.succeed(all.length === 1 ? (all[0] as Buffer) : Buffer.concat(all)))
    }
    const onBroken = () => fail(endedEarly)
    const stop = () => {
      incoming.off("data", onData).off("end", onEnd).off("error", onBroken)
      response.off("close", onBroken)
    }
    incoming.on("data", onData).on("end", onEnd).on("error", onBroken)
    // Answered by the server itself, since what came is no HTTP: the request then tells nothing more.
    response.on("close", onBroken)
    if (/^100-continue$/i.test(incoming.headers.expect ?? "")) response.writeContinue()
    return Effect.sync(stop)
  })
}
