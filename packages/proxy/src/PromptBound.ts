/**
 * How many tokens a request's text can be, from one pass over its bytes and no tokenizer. PURE. The bound must hold for
 * nearly every text (it is what admission holds), so the rates are generous; the likely count is for estimates only.
 * Rates are tokens per byte by class: the one table that calibration per customer and model replaces.
 */

/** Bytes by what they cost. */
export interface Profile {
  /** ASCII letters and white space. */
  readonly letters: number
  /** ASCII digits and punctuation. */
  readonly dense: number
  /** Bytes of multi-byte characters: CJK, other scripts, emoji. */
  readonly wide: number
  /** Long unbroken stretches: base64, hashes, minified text. */
  readonly unbroken: number
}

/** Tokens per byte of each class, and what the chat template adds around the text. */
export interface Rates extends Profile {
  readonly fixed: number
}

export const boundRates: Rates = { letters: 0.4, dense: 0.75, wide: 0.6, unbroken: 0.85, fixed: 64 }
export const likelyRates: Rates = { letters: 0.22, dense: 0.4, wide: 0.25, unbroken: 0.6, fixed: 8 }

/**
 * Three counts are kept in one integer, ten bits each, so that a byte costs one load and one addition: how many of a
 * block's bytes are dense, wide or a break. A block is short enough that no count overflows.
 */
const dense = 1
const wide = 1 << 10
const gap = 1 << 20
const mask = (1 << 10) - 1
const blockBytes = 64

const packed = new Int32Array(256)
for (let byte = 0; byte < 256; byte++) {
  const letter = (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a)
  const space = byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)
  packed[byte] = byte >= 0x80 ? wide : space ? gap : letter ? 0 : dense
  // A backslash begins an escape, mostly of a line break or a quote: a break as much as a mark.
  if (byte === 0x5c) packed[byte] = dense + gap
}

/** One pass; about a nanosecond a byte. */
export const profileOf = (bytes: Uint8Array): Profile => {
  let denseBytes = 0
  let wideBytes = 0
  let unbroken = 0
  for (let from = 0; from < bytes.length; from += blockBytes) {
    const to = Math.min(from + blockBytes, bytes.length)
    let counts = 0
    for (let at = from; at < to; at++) counts += packed[bytes[at] as number] as number
    const wideHere = (counts >> 10) & mask
    if (counts < gap && wideHere === 0 && to - from === blockBytes) unbroken += blockBytes
    else {
      denseBytes += counts & mask
      wideBytes += wideHere
    }
  }
  return { letters: bytes.length - denseBytes - wideBytes - unbroken, dense: denseBytes, wide: wideBytes, unbroken }
}

/** Tokens of a text of this profile, rounded up. */
export const tokensOf = (profile: Profile, rates: Rates): number =>
  Math.ceil(
    rates.fixed +
      profile.letters * rates.letters +
      profile.dense * rates.dense +
      profile.wide * rates.wide +
      profile.unbroken * rates.unbroken,
  )
