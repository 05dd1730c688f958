/** How large something is, for people. Pure. */
const units = ["bytes", "KB", "MB", "GB"] as const

/** 4_200_000 → "4.2 MB". */
export const sizeWords = (bytes: number): string => {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  const amount = bytes / 1000 ** power
  return `${power === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[power]}`
}
