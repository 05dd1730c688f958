/** All rows, in the order in which they are played. */
import type { Row } from "./Row.ts"
import { rows as background } from "./Rows/Background.ts"
import { rows as misfortunes } from "./Rows/Misfortunes.ts"
import { rows as neverGiven } from "./Rows/NeverGiven.ts"
import { rows as refusals } from "./Rows/Refusals.ts"
import { rows as upstream } from "./Rows/Upstream.ts"

export const rows: ReadonlyArray<Row> = [...refusals, ...upstream, ...misfortunes, ...background, ...neverGiven]
