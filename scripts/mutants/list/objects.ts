/** Faults in what an agent is built of, what its definition forbids, what the operator may do, and the cluster in memory. */
import type { Mutant } from "../mutant.ts"

const desired = "packages/operator/src/desired"
const memory = "packages/operator/src/Cluster"
const contract = "packages/operator/test/Cluster/Memory.test.ts"
const crd = "packages/operator/test/Agent/Crd.test.ts"
const rights = "kubenix/rbac/operator.json"
const rightsTest = "packages/operator/test/Rights.k8s.test.ts"

export const objects: ReadonlyArray<Mutant> = [
  {
    name: "quota-too-small-for-a-kept-volume",
    fault: "an agent with a volume from a larger tier can't be built again after its namespace was lost",
    file: `${desired}/Objects.ts`,
    find: "claimSize(spec.tier, settings, volume)",
    replace: "claimSize(spec.tier, settings, {})",
    tests: ["packages/operator/test/desired/Objects.test.ts"],
  },
  {
    name: "skills-reviewed-by-themselves",
    fault: "an idle agent spends its owner's tokens every week",
    file: `${desired}/OpenClawConfig.ts`,
    find: 'autonomous: { mode: "off" }',
    replace: 'autonomous: { mode: "auto" }',
    tests: ["packages/operator/test/desired/Objects.test.ts"],
  },
  {
    name: "agents-spread-from-themselves-alone",
    fault: "all agents of the platform crowd into one zone and fall with it",
    file: `${desired}/Deployment.ts`,
    find: '          namespaceSelector: { matchExpressions: [{ key: customerLabel, operator: "Exists" }] },\n',
    replace: "",
    tests: ["packages/operator/test/desired/Objects.test.ts"],
  },
  {
    name: "node-addresses-open",
    fault: "an agent reaches the platform's doors by a node's public address",
    file: "packages/operator/src/Nodes.ts",
    find: "              put(node)\n              settle()",
    replace: "              put(node)",
    tests: ["packages/operator/test/Nodes.test.ts"],
  },
  {
    name: "private-ranges-listed-again",
    fault: "every node that comes or goes rewrites every agent's wall",
    file: `${desired}/ClusterRanges.ts`,
    find: "&& !closed.check(address, familyOf(address))",
    replace: "",
    tests: ["packages/operator/test/desired/ClusterRanges.test.ts"],
  },
  {
    name: "foreign-field-stays",
    fault: "a field that somebody added stops an agent or opens a door, and is never taken out",
    file: "packages/operator/src/Plan.ts",
    find: " && foreignIn(meant, stored).length === 0",
    replace: "",
    tests: ["packages/operator/test/Foreign.test.ts"],
  },
  {
    name: "default-left-to-the-server",
    fault: "the operator can't tell what the server filled in from what somebody changed",
    file: `${desired}/Deployment.ts`,
    find: '    sessionAffinity: "None",\n',
    replace: "",
    tests: ["packages/operator/test/desired/Objects.k8s.test.ts"],
  },
  {
    name: "patterns-left-out-of-the-definition",
    fault: "the cluster takes an Agent whose bot or users are no such things",
    file: "packages/operator/src/Agent/Structural.ts",
    find: '"enum", "pattern", ',
    replace: '"enum", ',
    tests: [crd],
  },
  {
    name: "lists-that-repeat",
    fault: "the cluster takes an Agent that names a model twice",
    file: "packages/operator/src/Agent/Structural.ts",
    find: "one.uniqueItems === true",
    replace: "one.uniqueItems === false",
    tests: [crd],
  },
  {
    name: "rule-that-only-memory-keeps",
    fault: "two operators at once bring an Agent back to an older generation",
    file: "packages/operator/src/Agent/Rules.ts",
    find: 'rule: `self.${path.join(".")} >= oldSelf.${path.join(".")}`',
    replace: 'rule: `self.${path.join(".")} >= 0`',
    tests: ["packages/operator/test/live/ClusterContract.k8s.test.ts"],
  },
  {
    name: "older-generation-taken-in-memory",
    fault: "the cluster in memory takes what a real one refuses, so that no other test sees it",
    file: "packages/operator/src/Agent/Rules.ts",
    find: "before === undefined || number(self, ...path) >= number(before, ...path)",
    replace: "before === undefined || number(self, ...path) >= 0",
    tests: [contract],
  },
  {
    name: "platform-secrets-in-reach",
    fault: "who takes over the operator reads every secret of the platform",
    file: rights,
    find: '            "pods"\n',
    replace: '            "pods",\n            "secrets"\n',
    tests: [rightsTest],
  },
  {
    name: "operator-binds-itself-anywhere",
    fault: "who takes over the operator gives himself the rights that it has with customers in every namespace",
    file: rights,
    find: "|| request.namespace.startsWith('customer-')",
    replace: "|| request.namespace != 'customer-'",
    tests: [rightsTest],
  },
  {
    name: "anyone-writes-an-agent",
    fault: "a hand that raises an Agent's generation keeps the customer's next jobs from ever being done",
    file: rights,
    find: "request.operation == 'UPDATE' && object.spec == oldObject.spec",
    replace: "request.operation == 'UPDATE' || object.spec != null",
    tests: [rightsTest],
  },
  {
    name: "watch-blind-to-what-leaves-its-sight",
    fault: "the cluster in memory hides that an object lost its label, which a real one tells",
    file: `${memory}/MemoryStore.ts`,
    find: "  if (!was) return undefined\n",
    replace: "  if (!was || !is) return undefined\n",
    tests: [contract],
  },
  {
    name: "job-counted-twice",
    fault: "the cluster in memory gives an export up though it was tried once",
    file: `${memory}/Jobs.ts`,
    find: "const fresh = pods.filter((pod) => hasEnded(pod) && isTracked(pod))",
    replace: "const fresh = pods.filter((pod) => hasEnded(pod))",
    tests: ["packages/operator/test/Cluster/Jobs.test.ts"],
  },
  {
    name: "claim-taken-from-its-pod",
    fault: "the cluster in memory takes a claim away under a running agent, which a real one does not",
    file: `${memory}/Controllers.ts`,
    find: '  if (ofKind(store, "Pod").some(uses)) return\n',
    replace: '  if (ofKind(store, "Pod").every(uses)) return\n',
    tests: [contract],
  },
]
