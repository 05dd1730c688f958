/** Loaded into the operator by the bench: at a SIGUSR2 it gives back all memory that holds nothing. */
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as NonNullable<typeof global.gc>
process.on("SIGUSR2", () => void collect({ type: "major", flavor: "last-resort", execution: "sync" }))
