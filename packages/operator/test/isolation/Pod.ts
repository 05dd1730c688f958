/** What a process in the customer's pod may do to the machine; and what no pod of the namespace may ask for. */
import { readFileSync } from "node:fs"
import { assert, type Vitest } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { attempt, type Attempt, inside, type Outcome, type PodRef } from "../platform/Probe.ts"
import * as Places from "./Places.ts"
import { podRules } from "./PodRules.ts"
import { Stage } from "./Stage.ts"

/** `/proc/self/status` as a record. */
const fieldsOf = (status: string) =>
  Object.fromEntries(status.split("\n").map((line) => [line.split(":")[0], line.slice(line.indexOf(":") + 1).trim()]))

const becomeRoot = [{ kind: "syscall", name: "setuid 0" }] as const

const bad = {
  "a privileged container": { securityContext: { privileged: true, allowPrivilegeEscalation: true } },
  "a container as root": { securityContext: { runAsUser: 0, runAsNonRoot: false } },
  "a container with a capability": { securityContext: { capabilities: { add: ["NET_RAW"], drop: ["ALL"] } } },
  "a container without seccomp": { securityContext: { seccompProfile: { type: "Unconfined" } } },
  "a port of the node": { ports: [{ containerPort: 80, hostPort: 80 }] },
}
const badPods = {
  "the node's network": { hostNetwork: true },
  "the node's processes": { hostPID: true },
  "a folder of the node": { volumes: [{ name: "host", hostPath: { path: "/" } }] },
}

const podOf = (image: string, container: object, spec: object) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "asked" },
  spec: {
    securityContext: { runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: "RuntimeDefault" } },
    ...spec,
    containers: [
      {
        name: "asked",
        image,
        resources: { requests: { cpu: "1m", memory: "1Mi" }, limits: { cpu: "1m", memory: "1Mi" } },
        ...container,
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          ...("securityContext" in container ? (container.securityContext as object) : {}),
        },
      },
    ],
  },
})

export const podTests = (it: Vitest.MethodsNonLive<Stage>) => {
  for (const { allowed, byTheKernel = false, control, controlFrom = Places.privileged, name, refused } of podRules)
    it.effect(name, () =>
      Effect.gen(function* () {
        const { node, world } = yield* Stage
        /** What did not come out as it should. */
        const wrong = (from: PodRef, attempts: ReadonlyArray<Attempt>, right: (outcome: Outcome) => boolean) =>
          Effect.map(attempts.length === 0 ? Effect.succeed([]) : attempt(node, from, attempts), (outcomes) =>
            outcomes.flatMap((one, index) => (right(one) ? [] : [`${JSON.stringify(attempts[index])}: ${one.how}`])),
          )
        const isRefused = ({ how, worked }: Outcome) => !worked && (!byTheKernel || /^(?:EPERM|EACCES)$/.test(how))
        assert.deepStrictEqual(yield* wrong(world.inside, refused, isRefused), [], "not refused")
        assert.deepStrictEqual(yield* wrong(world.inside, allowed, ({ worked }) => worked), [], "not allowed")
        const isFree = (one: Outcome) => !isRefused(one)
        assert.deepStrictEqual(yield* wrong(controlFrom, control, isFree), [], "refused to the control too")
      }),
    )

  it.effect("a process is nobody: its own user, no capability, no way to gain one, system calls filtered", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const status = fieldsOf(yield* inside(node, world.inside, ["cat", "/proc/self/status"]))
      const { CapBnd, CapEff, CapPrm, Gid, NoNewPrivs, Seccomp, Uid } = status
      const none = "0000000000000000"
      const user = "10001\t10001\t10001\t10001"
      assert.deepStrictEqual(
        { Uid, Gid, CapEff, CapPrm, CapBnd, NoNewPrivs, Seccomp },
        { Uid: user, Gid: user, CapEff: none, CapPrm: none, CapBnd: none, NoNewPrivs: "1", Seccomp: "2" },
      )
    }),
  )

  it.effect("a program with the set-user-id bit makes nobody root", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const asRoot = { ...world.inside, probe: "/usr/bin/probe-as-root" }
      assert.isFalse((yield* attempt(node, asRoot, becomeRoot))[0]?.worked)
      // The same program, the same user, in a pod that forbids nothing.
      assert.isTrue((yield* attempt(node, Places.loose, becomeRoot))[0]?.worked)
    }),
  )

  it.effect("the pod has no IPv6 address, which no policy of IPv4 would see", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const [addresses] = yield* attempt(node, world.inside, [{ kind: "read", name: "/proc/net/if_inet6" }])
      assert.oneOf(addresses?.how, ["", "ENOENT"])
      // The same file, where there are some.
      assert.include(readFileSync("/proc/net/if_inet6", "utf8"), "lo")
    }),
  )

  it.effect("no pod of the namespace may ask for more, whoever makes it", () =>
    Effect.gen(function* () {
      const { ada, node, probe } = yield* Stage
      const ask = (container: object, spec: object) =>
        node.api.request(
          "POST",
          `/api/v1/namespaces/${ada.namespace}/pods?dryRun=All`,
          podOf(probe.ref, container, spec),
        )
      assert.strictEqual((yield* ask({}, {})).status, 201, "what asks for nothing is not admitted either")
      const asked = [
        ...Object.entries(bad).map(([name, container]) => [name, container, {}] as const),
        ...Object.entries(badPods).map(([name, spec]) => [name, {}, spec] as const),
      ]
      for (const [name, container, spec] of asked) {
        const { body, status } = yield* ask(container, spec)
        assert.strictEqual(status, 403, name)
        assert.include(body.message, "violates PodSecurity", name)
      }
    }),
  )
}
