/** Numbers, money and times as people read them. Pure: language and time zone come in, so that tests can fix them. */

export interface Locale {
  readonly language: string
  /** IANA name; undefined is the reader's own. */
  readonly timeZone?: string
}
export const reader: Locale = { language: "en" }

/** 1_234_567 → "1.23M", 5_000_000 → "5M", 340 → "340". */
export const compact = (tokens: number, { language }: Locale = reader): string =>
  new Intl.NumberFormat(language, { notation: "compact", maximumSignificantDigits: 3 }).format(tokens)

/** 1_234_567 → "1,234,567". */
export const full = (tokens: number, { language }: Locale = reader): string =>
  new Intl.NumberFormat(language).format(tokens)

/** 4_200_000 → "4.2 MB". */
export const bytes = (size: number, { language }: Locale = reader): string => {
  const unit = size >= 1e9 ? "gigabyte" : size >= 1e6 ? "megabyte" : "kilobyte"
  const amount = size / { gigabyte: 1e9, megabyte: 1e6, kilobyte: 1e3 }[unit]
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumSignificantDigits: 2 }).format(amount)
}

/** US cents → "$49" or "$49.50". */
export const money = (cents: number, { language }: Locale = reader): string =>
  new Intl.NumberFormat(language, {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: cents % 100 === 0 ? 0 : 2,
  }).format(cents / 100)

const zone = (locale: Locale) => (locale.timeZone === undefined ? {} : { timeZone: locale.timeZone })

/** "24 December". */
export const day = (at: number, locale: Locale = reader): string =>
  new Intl.DateTimeFormat(locale.language, { day: "numeric", month: "long", ...zone(locale) }).format(at)

/** "24 Nov, 14:03": for tables. */
export const moment = (at: number, locale: Locale = reader): string =>
  new Intl.DateTimeFormat(locale.language, {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...zone(locale),
  }).format(at)

/** "01:00": a time of the reader's day. */
export const clock = (at: number, locale: Locale = reader): string =>
  new Intl.DateTimeFormat(locale.language, {
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    ...zone(locale),
  }).format(at)

/** "14:03:07": for lines of a log. */
export const second = (at: number, locale: Locale = reader): string =>
  new Intl.DateTimeFormat(locale.language, { timeStyle: "medium", hourCycle: "h23", ...zone(locale) }).format(at)

/** An amount as people type it, "200,000", "200 000", "200k" or "1.5M" → tokens; undefined if it is none. */
export const tokensIn = (typed: string): number | undefined => {
  const [, digits, unit = ""] = /^(\d[\d\s,.'’_]*)([km]?)$/i.exec(typed.trim()) ?? []
  if (digits === undefined) return undefined
  const factor = { "": 1, k: 1_000, m: 1_000_000 }[unit.toLowerCase()] ?? 1
  // Before a unit a point or comma parts a fraction, else thousands.
  const number = unit === "" ? digits.replace(/\D/g, "") : digits.replace(",", ".").replace(/[^\d.]/g, "")
  const tokens = Math.round(Number(number) * factor)
  return Number.isSafeInteger(tokens) ? tokens : undefined
}

/** A UTC day as the api names it, "2026-11-24" → "24 Nov". */
export const shortDay = (isoDay: string, { language }: Locale = reader): string =>
  new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" }).format(
    Date.parse(`${isoDay}T00:00:00Z`),
  )

/** 340 → "0.3 s", 12_400 → "12 s", 95_000 → "1 min 35 s". */
export const duration = (ms: number): string => {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`
}

/** Share of a whole in percent, 0–100, also when the whole is 0. */
export const percent = (part: number, whole: number): number =>
  whole <= 0 ? 0 : Math.min(100, Math.max(0, (part / whole) * 100))

/** Bytes of a volume as its plan counts them: 10 × 2³⁰ → "10 GB". */
export const storage = (size: number, { language }: Locale = reader): string =>
  new Intl.NumberFormat(language, { style: "unit", unit: "gigabyte", maximumSignificantDigits: 2 }).format(
    size / 2 ** 30,
  )

/** Kubernetes quantities: "10Gi" → "10 GB" as people say it. */
export const gigabytes = (quantity: string): string => quantity.replace(/Gi$/, " GB")
