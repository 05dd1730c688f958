import * as Schema from "effect/Schema"

/** An image could not be built; the message says what to do. */
export class ImageFailed extends Schema.TaggedError<ImageFailed>()("ImageFailed", {
  image: Schema.String,
  message: Schema.String,
}) {}
