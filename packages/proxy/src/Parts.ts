/**
 * The parts of a message's content, checked in the pass that scans them. PURE. Text and pictures pass; a picture's data is
 * no text, so where it lies is told, and each counts by a fixed bound. Everything else (video, audio, files) has no bound
 * that its bytes could tell, so it is refused, as is a file of the provider's store (`ms://…`): it would be one of ours.
 * Invariant: a part whose type is not read as every parser reads it never passes.
 */
import {
  isText,
  malformed,
  openBrace,
  openBracket,
  quote,
  skipArray,
  skipObject,
  skipValue,
  type Span,
  textOf,
} from "./JsonSpans.ts"

/**
 * The most tokens of one picture, and what a screen of 1024 × 1024 is. Kimi K2.5 and K2.6 scale a picture down to 16,384
 * patches of 14 × 14 pixels and 512 on a side, pad each side to a multiple of 28 and make one token of 2 × 2 patches
 * (`media_proc_cfg` of moonshotai/Kimi-K2.6's preprocessor_config.json; "dynamic", say platform.kimi.ai's docs), so 4,464
 * at most (489 × 7,083); the rest is for the marks around it.
 */
export const pictureBound = 4_480
export const pictureLikely = 1_369
/** Half of what fits the context. */
export const maxPictures = 32

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const keys = { type: encode("type"), picture: encode("image_url"), url: encode("url") }
const types = { text: encode('"text"'), picture: encode('"image_url"') }

const onlyThese = "Only `text` and `image_url` parts are offered: no video, audio or files."
const plainNames = "Each part of a `content` must be an object with plainly written names."

/** Data in the request, or an address that the upstream may fetch or refuse; a slash may be escaped. */
const isPicture = (bytes: Uint8Array, { from, to }: Span): boolean =>
  bytes[from] === quote &&
  /^(?:data:image\/|https?:\/\/)/i.test(
    textOf(bytes, { from: from + 1, to: Math.min(from + 32, to) }).replaceAll("\\/", "/"),
  )

type Report = (fault: string) => number

/** The value of a part's `image_url`: the address, or an object with it. `found` is told where the address lies. */
const skipAddress = (
  bytes: Uint8Array,
  from: number,
  depth: number,
  report: Report,
  found: (span: Span) => void,
): number => {
  if (bytes[from] !== openBrace) {
    const to = skipValue(bytes, from, depth)
    if (to !== malformed) found({ from, to })
    return to
  }
  return skipObject(bytes, from, depth, (keyFrom, keyTo, valueFrom, depth, escaped) => {
    if (escaped) return report(plainNames)
    const to = skipValue(bytes, valueFrom, depth)
    if (to !== malformed && isText(bytes, keyFrom, keyTo, keys.url)) found({ from: valueFrom, to })
    return to
  })
}

const skipPart = (bytes: Uint8Array, from: number, depth: number, report: Report, pictures: Array<Span>): number => {
  if (bytes[from] !== openBrace) return report(plainNames)
  let type: "text" | "picture" | undefined
  let typed = 0
  let told = 0
  const addresses: Array<Span> = []
  const to = skipObject(bytes, from, depth, (keyFrom, keyTo, valueFrom, depth, escaped) => {
    if (escaped) return report(plainNames)
    if (isText(bytes, keyFrom, keyTo, keys.picture)) {
      told++
      return skipAddress(bytes, valueFrom, depth, report, (span) => addresses.push(span))
    }
    const to = skipValue(bytes, valueFrom, depth)
    if (to === malformed || !isText(bytes, keyFrom, keyTo, keys.type)) return to
    typed++
    type = isText(bytes, valueFrom, to, types.text)
      ? "text"
      : isText(bytes, valueFrom, to, types.picture)
        ? "picture"
        : undefined
    return type === undefined ? report(onlyThese) : to
  })
  if (to === malformed) return to
  if (typed !== 1) return report("Each part of a `content` must have one `type`.")
  if (type === "text") return told === 0 ? to : report(onlyThese)
  const [address] = addresses
  if (told !== 1 || addresses.length !== 1 || address === undefined) {
    return report("Each `image_url` part must have one `image_url` with one `url`.")
  }
  if (!isPicture(bytes, address)) return report("Pictures are sent as `data:image/…` or by an http address.")
  if (pictures.push(address) > maxPictures) return report(`At most ${maxPictures} pictures are accepted.`)
  return to
}

/** The value of a message's `content`; adds to `pictures` where their addresses lie, quotes included. */
export const skipContent = (
  bytes: Uint8Array,
  from: number,
  depth: number,
  report: Report,
  pictures: Array<Span>,
): number =>
  bytes[from] === openBracket
    ? skipArray(bytes, from, depth, (at, depth) => skipPart(bytes, at, depth, report, pictures))
    : skipValue(bytes, from, depth)
