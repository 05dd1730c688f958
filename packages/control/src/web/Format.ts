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

/** Kubernetes quantities: "10Gi" → "10 GB" as people say it. */
export const gigabytes = (quantity: string): string => quantity.replace(/Gi$/, " GB")
