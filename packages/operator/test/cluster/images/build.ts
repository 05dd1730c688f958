/** `node packages/operator/test/cluster/images/build.ts [NAME…]`: makes images and prints each one's name and archive. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { berthImage } from "./Berth.ts"
import { openClawImage } from "./OpenClaw.ts"
import { standInImage } from "./StandIn.ts"
import { probeImage } from "./Static.ts"

const images = { probe: probeImage, "stand-in": standInImage, berth: berthImage, openclaw: openClawImage }
const names = Object.keys(images) as ReadonlyArray<keyof typeof images>
const asked = process.argv.slice(2)
const unknown = asked.find((name) => !names.some((one) => one === name))
if (unknown !== undefined) {
  console.log(`usage: build.ts [${names.join("|")}]…`)
  process.exit(unknown === "--help" ? 0 : 2)
}

NodeRuntime.runMain(
  Effect.forEach(
    names.filter((name) => asked.length === 0 || asked.includes(name)),
    (name) => Effect.flatMap(images[name], ({ ref, tar }) => Console.log(`${ref} ${tar}`)),
  ),
)
