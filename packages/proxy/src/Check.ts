/**
 * Step 2: is the request one that we take? The body is read within its limit, scanned and checked, and the model must be
 * one of the tier's. A refusal here holds nothing.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import { type ModelId, models, type TierId, tiers } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import { BodyEncoded, BodyTooLarge, InvalidRequest, ModelNotFound } from "./Errors.ts"
import { boundRates, likelyRates, profileOf, tokensOf } from "./PromptBound.ts"
import { floorOf, type Shape, shapeOf } from "./RequestShape.ts"

export interface Checked {
  readonly shape: Shape
  readonly model: ModelId
  /** P: upper bound of the prompt's tokens. */
  readonly prompt: number
  /** What the prompt probably is, for settling by estimate. */
  readonly likelyPrompt: number
  /** M: the most that may be completed. */
  readonly completion: number
  /** F: the least that is worth a call. */
  readonly floor: number
}

/** Whether a tier offers a model. */
export const offered = (tier: TierId, model: string): Effect.Effect<ModelId, ModelNotFound> => {
  const found = tiers[tier].models.find((one) => one === model)
  return found === undefined
    ? Effect.fail(new ModelNotFound({ model, offered: tiers[tier].models }))
    : Effect.succeed(found)
}

/** Reads a body of at most `limit` bytes. */
export const readBody = (
  incoming: IncomingMessage,
  response: ServerResponse,
  limit: number,
): Effect.Effect<Buffer, BodyTooLarge | BodyEncoded | InvalidRequest> => {
  const encoding = incoming.headers["content-encoding"]
  if (encoding !== undefined && encoding !== "identity") return Effect.fail(new BodyEncoded())
  if (Number(incoming.headers["content-length"] ?? 0) > limit)
    return Effect.fail(new BodyTooLarge({ limitBytes: limit }))
  return Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    let bytes = 0
    const onData = (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes <= limit) return
      stop()
      incoming.pause()
      resume(Effect.fail(new BodyTooLarge({ limitBytes: limit })))
    }
    const onEnd = () => {
      stop()
      const [only] = chunks
      resume(Effect.succeed(only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks)))
    }
    const onError = () => {
      stop()
      resume(Effect.fail(new InvalidRequest({ message: "The request body ended early.", param: null })))
    }
    const stop = () => {
      incoming.off("data", onData).off("end", onEnd).off("error", onError)
    }
    incoming.on("data", onData).on("end", onEnd).on("error", onError)
    if (/^100-continue$/i.test(incoming.headers.expect ?? "")) response.writeContinue()
    return Effect.sync(stop)
  })
}

/** Checks a body that was read, for a customer of this tier. */
export const check = Effect.fnUntraced(function* (body: Buffer, tier: TierId) {
  const shape = yield* Effect.fromResult(shapeOf(body))
  const model = yield* offered(tier, shape.model)
  const profile = profileOf(body)
  // No prompt is longer than the model's context: the upstream refuses it.
  const context = models[model].contextTokens
  const checked: Checked = {
    shape,
    model,
    prompt: Math.min(tokensOf(profile, boundRates), context),
    likelyPrompt: Math.min(tokensOf(profile, likelyRates), context),
    completion: shape.completion ?? tiers[tier].defaultCompletionTokens,
    floor: floorOf(model),
  }
  return checked
})
