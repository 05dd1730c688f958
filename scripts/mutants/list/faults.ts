/** Faults of an operator that only show when what it stands on is taken away under a real API server. */
import type { Mutant } from "../mutant.ts"

const source = (name: string) => `packages/operator/src/${name}.ts`
const byHand = ["packages/operator/test/faults/ByHand.k8s.test.ts"]

export const faults: ReadonlyArray<Mutant> = [
  {
    name: "reports-counted-from-nothing",
    fault: "what is told of a cluster that was built again is taken for old, and customers hear nothing",
    file: source("Status"),
    find: "seq: (seq = Math.max(seq + 1, now))",
    replace: "seq: (seq = seq + 1)",
    tests: byHand,
  },
  {
    name: "silent-watch-waited-for",
    fault:
      "an operator whose watch is never answered hears nothing for minutes, and a new agent is not told to be ready",
    file: source("live/ApiTransport"),
    find: "inTime(request, open(request, silence))",
    replace: "open(request, silence)",
    tests: ["packages/operator/test/live/ClusterKubernetes.test.ts"],
  },
  {
    name: "new-volume-beside-the-old",
    fault: "an agent whose namespace was deleted by hand comes back without its memory",
    file: source("Gather"),
    find: "  const released = [...volumes]\n",
    replace: "  const released = [...volumes.slice(volumes.length)]\n",
    tests: byHand,
  },
]
