/** The data of deleted agents: where it is kept, what opens it, and the links to it. */
import { ExportOpener } from "@berth/domain/ExportOpener"
import * as ExportsHere from "@berth/domain/live/ExportsHere"
import * as LocalFolder from "@berth/domain/live/LocalFolder"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ExportLinks } from "../exports/ExportLinks.ts"
import type { Place } from "./Place.ts"

const links = ({ publicUrl }: Place) =>
  Layer.unwrap(Effect.map(LocalFolder.exportLinkKey, (key) => ExportLinks.layer(publicUrl.origin, key)))

/** For billing, which removes exports and mails links to them. */
export const store = (place: Place) => Layer.merge(ExportsHere.layer, links(place))

/** For api, which serves them. */
export const layer = (place: Place) =>
  Layer.merge(store(place), Layer.unwrap(Effect.map(LocalFolder.exportIdentity, ExportOpener.layer)))
