/**
 * Step 2: is the request one that we take? The body, read before, is scanned and checked, and the model must be one of the
 * tier's. A refusal here holds nothing.
 */
import { type ModelId, models, type TierId, tiers } from "@berth/domain/Tiers"
import * as Effect from "effect/Effect"
import { type Turn, turnOf } from "./Background.ts"
import { addProfile, classes, type Profile } from "./ByteClasses.ts"
import { ModelNotFound } from "./Errors.ts"
import { pictureBound, pictureLikely } from "./Parts.ts"
import { type Calibrated, estimateOf } from "./PromptBound.ts"
import { floorOf, type Shape, shapeOf } from "./RequestShape.ts"

export interface Checked {
  readonly shape: Shape
  readonly model: ModelId
  readonly turn: Turn
  /** A turn that nobody waits for. */
  readonly background: boolean
  /** What the prompt's text is made of; undefined if there is more than text, whose count would teach nothing about it. */
  readonly profile: Profile | undefined
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

/** The profile of a body without what stands for its pictures. */
const textOf = (body: Buffer, { pictures }: Shape): Profile => {
  const profile = new Float64Array(classes)
  let from = 0
  for (const picture of pictures) {
    addProfile(profile, body, from, picture.from)
    from = picture.to
  }
  addProfile(profile, body, from, body.length)
  return profile
}

/** Checks a body that was read, for a customer of this tier of whose prompts `known` tells what was learnt. */
export const check = Effect.fnUntraced(function* (
  body: Buffer,
  tier: TierId,
  known: (model: ModelId) => Calibrated | undefined = () => undefined,
) {
  const shape = yield* Effect.fromResult(shapeOf(body))
  const model = yield* offered(tier, shape.model)
  const turn = turnOf(body)
  const profile = textOf(body, shape)
  const { likely, bound } = estimateOf(profile, known(model))
  const pictures = shape.pictures.length
  // No prompt is longer than the model's context: the upstream refuses it.
  const context = models[model].contextTokens
  const checked: Checked = {
    shape,
    model,
    turn,
    background: turn !== "person",
    profile: pictures === 0 ? profile : undefined,
    prompt: Math.min(bound + pictures * pictureBound, context),
    likelyPrompt: Math.min(likely + pictures * pictureLikely, context),
    // Nor is an answer: a client that asks for more must not hold the whole of its allowance for it.
    completion: Math.min(shape.completion ?? tiers[tier].defaultCompletionTokens, context),
    floor: floorOf(model),
  }
  return checked
})
