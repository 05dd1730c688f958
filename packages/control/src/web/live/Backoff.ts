/** How long to wait before the next attempt to connect. Pure: the caller brings the randomness. */

const firstMs = 500
const longestMs = 15_000

/**
 * Milliseconds before attempt `failures + 1`, doubling from half a second to 15 seconds. `random` in [0, 1) spreads the
 * second half of the wait, so that a server that comes back is not met by everyone at once.
 */
export const waitMs = (failures: number, random: number): number => {
  const ceiling = Math.min(longestMs, firstMs * 2 ** Math.max(0, failures - 1))
  return Math.round(ceiling / 2 + (ceiling / 2) * random)
}
