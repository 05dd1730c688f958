/**
 * The bearer token of a customer's pod: `bth_`, 32 random bytes in base62 (43 digits), then a CRC-32 in base62 (6 digits).
 * The checksum lets a mistyped or made-up token be refused without asking any store. Only its SHA-256 is ever stored.
 */
import { createHash } from "node:crypto"
import { crc32 } from "node:zlib"
import * as Redacted from "effect/Redacted"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
const prefix = "bth_"
const pattern = /^bth_[0-9A-Za-z]{49}$/

const base62 = (value: bigint, digits: number): string => {
  let text = ""
  for (let rest = value; text.length < digits; rest /= 62n) text = (alphabet[Number(rest % 62n)] ?? "") + text
  return text
}

const checksum = (body: string): string => base62(BigInt(crc32(body)), 6)

/** Makes a token of 32 random bytes. */
export const mint = (random: Uint8Array): Redacted.Redacted<string> => {
  const body = base62(BigInt(`0x${Buffer.from(random.subarray(0, 32)).toString("hex")}`), 43)
  return Redacted.make(`${prefix}${body}${checksum(body)}`)
}

/** Whether a text can be a token at all. */
export const isWellFormed = (text: string): boolean =>
  pattern.test(text) && checksum(text.slice(prefix.length, -6)) === text.slice(-6)

/** SHA-256 in hex: how a token is known to Redis and Postgres. */
export const hashOf = (token: string): string => createHash("sha256").update(token).digest("hex")
