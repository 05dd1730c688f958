/** What is known of an image once it is built, beside its archive in the cache. The archive is named from its folder. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Image } from "./Archive.ts"
import type { ImageFailed } from "./Failed.ts"

const Known = Schema.fromJsonString(Schema.Struct({ ref: Schema.String, tag: Schema.String, tar: Schema.String }))
const file = "image.json"

/** Leaves nothing in the folder but the archive and what is known of it. */
export const keep = (folder: string, image: Image): void => {
  const tar = basename(image.tar)
  for (const name of readdirSync(folder)) if (name !== tar) rmSync(join(folder, name), { recursive: true, force: true })
  writeFileSync(join(folder, file), Schema.encodeSync(Known)({ ...image, tar }))
}

export const kept = (place: Effect.Effect<string, ImageFailed>): Effect.Effect<Image, ImageFailed> =>
  Effect.map(place, (folder) => {
    const image = Schema.decodeUnknownSync(Known)(readFileSync(join(folder, file), "utf8"))
    return { ...image, tar: join(folder, image.tar) }
  })
