/**
 * Faults in the customer's NetworkPolicy, planted one at a time on the running node: for each, the rule that is broken must
 * say so. They show that the rules can fail. The operator stands still meanwhile, for it would put the policy back.
 */
import { assert, type Vitest } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { judge } from "./Judge.ts"
import { rules } from "./Rules.ts"
import { Stage } from "./Stage.ts"

interface PolicyMutant {
  readonly name: string
  readonly fault: string
  /** Changes a copy of the policy's spec. */
  readonly plant: (spec: any) => void
  /** The rule that must notice. */
  readonly noticedBy: string
}

const internet = (spec: any) => spec.egress.find((rule: any) => rule.to.some((peer: any) => peer.ipBlock !== undefined))
const toThePlatform = (spec: any) =>
  spec.egress.find(({ to }: any) =>
    to.some((peer: any) => peer.namespaceSelector?.matchLabels?.["kubernetes.io/metadata.name"] === "platform"),
  )

export const policyMutants: ReadonlyArray<PolicyMutant> = [
  {
    name: "ingress-from-anyone",
    fault: "the policy was stored without its peers, as a client library once did: whoever likes gets in",
    plant: (spec) => (spec.ingress = [{}]),
    noticedBy: "a pod of any other namespace does not get into a customer's pod",
  },
  {
    name: "private-ranges-open",
    fault: "HTTPS to everywhere means the cluster's own network and the cloud's metadata too",
    plant: (spec) => internet(spec).to.forEach((peer: any) => delete peer.ipBlock.except),
    noticedBy: "private and shared ranges are out of reach, on 443 too",
  },
  {
    name: "metadata-open",
    fault: "the cloud's metadata address is not among the closed ranges",
    plant: (spec) =>
      internet(spec).to.forEach(({ ipBlock }: any) => {
        ipBlock.except = ipBlock.except.filter((range: string) => range !== "169.254.0.0/16")
      }),
    noticedBy: "the cloud's metadata address is out of reach",
  },
  {
    name: "every-port-of-the-internet",
    fault: "the internet is open on every port: spam, scans, DNS tunnels",
    plant: (spec) => delete internet(spec).ports,
    noticedBy: "the internet is reached on no other TCP port",
  },
  {
    name: "every-pod-of-the-platform",
    fault: "the way to the token-proxy leads to every service of the platform",
    plant: (spec) => toThePlatform(spec).to.forEach((peer: any) => delete peer.podSelector),
    noticedBy: "no other service of the platform is reached, by pod or by Service",
  },
]

const path = (namespace: string) => `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/openclaw`

export const mutantTests = (it: Vitest.MethodsNonLive<Stage>) => {
  it.effect("a policy with any of five known faults is noticed, and the operator puts it back", () =>
    Effect.gen(function* () {
      const { ada, node, platform, world } = yield* Stage
      const standing = Effect.map(node.api.get(path(ada.namespace)), ({ spec }) => spec)
      const replace = (spec: unknown) =>
        Effect.gen(function* () {
          const { body, status } = yield* node.api.request("PUT", path(ada.namespace), {
            ...(yield* node.api.get(path(ada.namespace))),
            spec,
          })
          assert.strictEqual(status, 200, JSON.stringify(body))
        })
      const noticed = (name: string) =>
        Effect.gen(function* () {
          const rule = rules.find((one) => one.name === name)
          if (rule === undefined) return assert.fail(`there is no rule ${name}`)
          return (yield* judge(node, world, rule)).some((one) => one.startsWith("gets through"))
        })

      const scale = (replicas: number) =>
        node.kubectl(["scale", "--namespace=platform", "deployment/operator", `--replicas=${replicas}`])
      const meant = yield* standing
      yield* Effect.acquireUseRelease(
        Effect.andThen(
          scale(0),
          node.api.until("/api/v1/namespaces/platform/pods?labelSelector=app.kubernetes.io%2Fname%3Doperator", (list) =>
            list.items.every((pod: any) => pod.metadata.name === "as-operator"),
          ),
        ),
        () =>
          Effect.forEach(policyMutants, ({ fault, name, noticedBy, plant }) =>
            Effect.gen(function* () {
              const spec = structuredClone(meant)
              plant(spec)
              assert.notDeepEqual(spec, meant, `${name} changes nothing`)
              yield* replace(spec)
              // It takes the policy controller a moment.
              const seen = yield* noticed(noticedBy).pipe(
                Effect.repeat({ schedule: Schedule.spaced("300 millis"), until: (is) => is, times: 20 }),
              )
              assert.isTrue(seen, `${name} (${fault}) was not noticed by "${noticedBy}"`)
            }),
          ),
        () => Effect.orDie(Effect.andThen(scale(1), platform.rolledOut("operator"))),
      )
      // The last fault still stands, and the operator finds it when it looks.
      yield* node.api.until(path(ada.namespace), (policy) => JSON.stringify(policy.spec) === JSON.stringify(meant), 60)
      const closed = yield* noticed(policyMutants.at(-1)?.noticedBy ?? "").pipe(
        Effect.repeat({ schedule: Schedule.spaced("300 millis"), until: (is) => !is, times: 20 }),
      )
      assert.isFalse(closed)
    }),
  )
}
