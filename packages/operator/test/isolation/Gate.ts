/**
 * The first moments. A new pod is unrestricted until the policy controller has seen it, so nothing of the agent may start
 * before: the pod's first container waits until the policy is felt.
 */
import { assert, type Vitest } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inside } from "../platform/Probe.ts"
import { tenant } from "../platform/Tenants.ts"
import * as Places from "./Places.ts"
import { rules } from "./Rules.ts"
import { judge } from "./Judge.ts"
import { containerOf, Stage } from "./Stage.ts"

/** What a process tried again and again from its first millisecond on, an entry for each address. */
type Early = ReadonlyArray<{
  readonly address: string
  readonly tries: number
  readonly opened: number
  readonly survived: boolean
}>

// allow(path): it stands in the pod
const earlyFile = "/tmp/early.json"

const hurried = (image: string, addresses: ReadonlyArray<string>) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "hurried" },
  spec: {
    restartPolicy: "Never",
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 10_001, seccompProfile: { type: "RuntimeDefault" } },
    containers: [
      {
        name: "probe",
        image,
        imagePullPolicy: "Never",
        command: ["/probe", "early", JSON.stringify({ addresses, forMillis: 3_000, into: "" })],
        resources: { requests: { cpu: "10m", memory: "32Mi" }, limits: { cpu: "500m", memory: "64Mi" } },
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
      },
    ],
  },
})

export const gateTests = (it: Vitest.MethodsNonLive<Stage>) => {
  it.effect("an agent that tries from its first millisecond on never gets out", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const early = JSON.parse(yield* inside(node, world.inside, ["cat", earlyFile])) as Early
      assert.strictEqual(early.length, 2)
      for (const { address, opened, tries } of early) {
        assert.isAbove(tries, 20, address)
        assert.strictEqual(opened, 0, address)
      }
    }),
  )

  it.effect("while the policy controller is away a new agent waits outside, and an old one stays walled in", () =>
    Effect.gen(function* () {
      const { node, platform, probe, world } = yield* Stage
      const eve = tenant("eve")
      const pods = `/api/v1/namespaces/${eve.namespace}/pods`
      const addresses = ["10.96.0.1:443", `${Places.outside.internet}:80`]
      yield* Effect.acquireRelease(node.kill("policies"), () => Effect.orDie(node.start("policies")))

      yield* platform.order(eve, { generation: 1 })
      const waiting = (pod: any) =>
        pod?.status?.initContainerStatuses?.some((one: any) => one.state?.running !== undefined)
      yield* node.api.until(pods, (list) => list.items.some(waiting))

      // A pod of the same namespace, under the same policy, but with nothing before it: out it goes.
      const made = yield* node.api.request("POST", pods, hurried(probe.ref, addresses))
      assert.strictEqual(made.status, 201, JSON.stringify(made.body))
      yield* node.api.until(`${pods}/hurried`, (pod) => pod?.status?.phase === "Succeeded")
      const out = JSON.parse(yield* node.kubectl(["logs", `--namespace=${eve.namespace}`, "hurried"])) as Early
      assert.isTrue(out.every(({ opened, survived }) => opened > 0 && survived))
      yield* node.api.remove(`${pods}/hurried`)

      const agents = yield* node.api.get(`${pods}?labelSelector=app.kubernetes.io%2Fname%3Dopenclaw`)
      assert.strictEqual(agents.items.length, 1)
      assert.isTrue(waiting(agents.items[0]), "the agent did not wait")
      assert.notStrictEqual(agents.items[0].status.containerStatuses?.[0]?.started, true)
      for (const rule of rules.filter(({ name }) => /apiserver|metadata|other TCP port/.test(name)))
        assert.deepStrictEqual(yield* judge(node, world, rule), [])

      yield* node.start("policies")
      yield* platform.reaches(eve, "active", 1)
      const early = JSON.parse(
        yield* inside(node, containerOf(eve), ["cat", earlyFile]).pipe(Effect.retry({ times: 50 })),
      ) as Early
      assert.isTrue(early.every(({ opened, tries }) => opened === 0 && tries > 20))
    }).pipe(Effect.scoped),
  )

  it.effect("a policy controller that comes back opens nothing on its way", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const asked = { addresses: ["10.96.0.1:443", `${Places.outside.internet}:80`], forMillis: 8_000, into: "" }
      const [printed] = yield* Effect.all(
        [
          inside(node, world.inside, [world.inside.probe, "early", JSON.stringify(asked)]),
          Effect.delay(node.restart("policies"), "1 second"),
        ],
        { concurrency: 2 },
      )
      for (const { address, opened, tries } of JSON.parse(printed) as Early) {
        assert.isAbove(tries, 50, address)
        assert.strictEqual(opened, 0, address)
      }
    }),
  )
}
