/** Kubernetes quantities ("1280Mi", "100m", "2") as numbers of their base unit. Pure. */

const factors: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** NaN for a text that is not a quantity. */
export const quantity = (text: unknown): number => {
  const [, digits, unit] = /^([0-9.]+)([A-Za-z]*)$/.exec(String(text)) ?? []
  const factor = factors[unit ?? ""]
  return digits === undefined || factor === undefined ? Number.NaN : Number(digits) * factor
}
