/** Names a build by all that goes into it, so that it is made once and never out of date. Pure. */
import { createHash } from "node:crypto"

export interface Ingredients {
  /** Path and text of each source. */
  readonly sources: ReadonlyArray<readonly [path: string, text: string]>
  /** The compiler, as it names itself. */
  readonly compiler: string
  /** How it is called. */
  readonly command: ReadonlyArray<string>
}

/** Sixteen hexadecimal digits; the order of the sources does not matter, their names do. */
export const keyOf = ({ command, compiler, sources }: Ingredients): string => {
  const sorted = [...sources].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return createHash("sha256")
    .update(JSON.stringify([compiler, command, sorted]))
    .digest("hex")
    .slice(0, 16)
}
