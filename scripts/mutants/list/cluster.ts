/** Faults in the Kubernetes that the tests run on: what would make its answers worth nothing, or leave a machine littered. */
import type { Mutant } from "../mutant.ts"

const pure = ["packages/operator/test/cluster/Pure.test.ts"]
const leftovers = ["packages/operator/test/cluster/Leftovers.test.ts"]

export const cluster: ReadonlyArray<Mutant> = [
  {
    name: "build-key-without-names",
    fault: "tests run against programs that were built from other sources",
    file: "packages/operator/test/cluster/Key.ts",
    find: "JSON.stringify([compiler, command, sorted])",
    replace: 'JSON.stringify([compiler, command, sorted.map(([, text]) => text).join("")])',
    tests: pure,
  },
  {
    name: "test-apiserver-lets-anyone-in",
    fault: "the operator's rights are never put to the test",
    file: "packages/operator/test/cluster/ControlPlaneComponents.ts",
    find: '"authorization-mode": "Node,RBAC"',
    replace: '"authorization-mode": "AlwaysAllow"',
    tests: pure,
  },
  {
    name: "test-clusters-on-one-port",
    fault: "two control planes of the tests can't stand side by side",
    file: "packages/operator/test/cluster/ControlPlaneComponents.ts",
    find: '    "secure-port": 0,\n    "leader-elect": false,',
    replace: '    "secure-port": 10_257,\n    "leader-elect": false,',
    tests: pure,
  },
  {
    name: "living-cluster-swept",
    fault: "one run of the tests takes down the cluster of another",
    file: "packages/operator/test/cluster/Folder.ts",
    find: " && livingPid(name) === undefined",
    replace: "",
    tests: leftovers,
  },
  {
    name: "dead-cluster-left-running",
    fault: "a run that was killed leaves an apiserver on the machine for good",
    file: "packages/operator/test/cluster/TakeDown.ts",
    find: "  Components.killAll(folder)\n",
    replace: "",
    tests: leftovers,
  },
  {
    name: "stranger-killed-by-an-old-pid",
    fault: "the tests kill a process of the machine that was never theirs",
    file: "packages/operator/test/cluster/Components.ts",
    find: 'livingPid(read(pidFile(folder, name)) ?? "")',
    replace: 'Number.parseInt(read(pidFile(folder, name)) ?? "", 10) || undefined',
    tests: leftovers,
  },
]
