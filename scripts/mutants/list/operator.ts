/** Faults in how an agent comes to be, stays as it is meant, and keeps its data. */
import type { Mutant } from "../mutant.ts"

const settling = "        const decision = yield* settle(job).pipe(\n"

export const operator: ReadonlyArray<Mutant> = [
  {
    name: "older-generation-applied",
    fault: "a job that arrives late undoes what a newer one asked for",
    file: "packages/operator/src/Intake.ts",
    find: "if (generation < Math.max(standing.agent, standing.record))",
    replace: "if (generation < 0)",
    tests: ["packages/operator/test/Intake.test.ts"],
  },
  {
    name: "tombstone-ignored",
    fault: "a job that arrives late brings a deleted agent back",
    file: "packages/operator/src/Intake.ts",
    find: "if (generation <= standing.tombstone)",
    replace: "if (generation < 0)",
    tests: ["packages/operator/test/Intake.test.ts"],
  },
  {
    name: "acknowledged-before-the-agent-is-written",
    fault: "an operator that dies at the wrong moment loses a paid customer's job",
    file: "packages/operator/src/JobIntake.ts",
    find: settling,
    replace:
      "        for (const one of inHand.upTo(customerId, job.generation)) yield* queue.acknowledge(one.raw)\n" +
      settling,
    tests: ["packages/operator/test/Crash.test.ts"],
  },
  {
    name: "owner-reference-on-the-namespace",
    fault: "deleting the Agent by hand makes the cluster delete the customer's data",
    file: "packages/operator/src/desired/Namespace.ts",
    find: "    name: namespaceOf(customerId),\n",
    replace:
      "    name: namespaceOf(customerId),\n" +
      '    ownerReferences: [{ apiVersion: "berth.dev/v1alpha1", kind: "Agent", name: customerId, uid: "1" }],\n',
    tests: ["packages/operator/test/desired/Objects.test.ts"],
  },
  {
    name: "agent-deleted-by-hand-deletes-data",
    fault: "deleting the Agent by hand counts as a confirmed deprovision",
    file: "packages/operator/src/Reconcile.ts",
    find: "if (confirmed || hasBegun(deletion)) {",
    replace: "if (confirmed || deleting || hasBegun(deletion)) {",
    tests: ["packages/operator/test/Reconciler.test.ts"],
  },
  {
    name: "second-reconcile-writes",
    fault: "every look at an unchanged agent writes its status, so the cluster never rests",
    file: "packages/operator/src/Report.ts",
    find: "if (canonical(statusJson(status)) !== canonical(agent.stored.status))",
    replace: "if (sight.spec === agent.spec)",
    tests: ["packages/operator/test/Reconciler.test.ts"],
  },
]
