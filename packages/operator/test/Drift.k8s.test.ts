/** Whatever somebody does to an agent's objects on a real API server, they come to stand again exactly as they are meant. */
import { CustomerId } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { foreignIn } from "../src/Foreign.ts"
import { desired } from "../src/desired/Objects.ts"
import { collectionPath } from "../src/Kinds.ts"
import { differenceFrom } from "../src/Manifest.ts"
import * as Operator from "../src/Operator.ts"
import { embedded } from "../src/Settings.ts"
import { ControlPlane } from "./cluster/ControlPlane.ts"
import { realWorld, settles } from "./RealCluster.ts"
import { desiredState, pushJob, secrets } from "./World.ts"

/** What people do, as merge patches; lists are replaced by them. */
const deeds: ReadonlyArray<readonly [kind: string, name: string, what: object]> = [
  ["Deployment", "openclaw", { spec: { paused: true } }],
  [
    "Deployment",
    "openclaw",
    { spec: { template: { spec: { hostNetwork: true, hostAliases: [{ ip: "203.0.113.1" }] } } } },
  ],
  ["Deployment", "openclaw", { spec: { template: { spec: { automountServiceAccountToken: true } } } }],
  ["Service", "openclaw", { spec: { selector: { app: "nothing" } } }],
  ["Service", "openclaw", { spec: { externalIPs: ["203.0.113.7"] } }],
  ["ResourceQuota", "openclaw", { spec: { hard: { pods: "30", secrets: "0" } } }],
  ["LimitRange", "openclaw", { spec: { limits: [{ type: "Pod", max: { cpu: "64" } }] } }],
  ["NetworkPolicy", "openclaw", { spec: { podSelector: { matchLabels: { app: "nothing" } } } }],
  ["NetworkPolicy", "openclaw", { spec: { egress: [{}] } }],
  ["ServiceAccount", "openclaw", { automountServiceAccountToken: true, imagePullSecrets: [{ name: "theirs" }] }],
  ["ConfigMap", "openclaw", { data: { "more.json": "{}" } }],
  ["Namespace", "customer-ada", { metadata: { labels: { "pod-security.kubernetes.io/enforce": "privileged" } } }],
]

layer(Operator.layer.pipe(Layer.provideMerge(realWorld())), { excludeTestServices: true, timeout: 120_000 })(
  "an agent's objects on a real API server",
  (it) => {
    it.effect("stand again exactly as they are meant, whatever was done to them", () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        const ada = CustomerId.make("ada")
        yield* pushJob({ customerId: ada })
        yield* settles(ada, "active")
        const objects = desired({ customerId: ada, spec: { ...desiredState, generation: 1 } }, secrets, embedded)
        for (const [kind, name, what] of deeds) {
          const found = objects.find(({ object }) => object.kind === kind)
          assert.isDefined(found, kind)
          const meant = found.object
          const path = `${collectionPath(kind, meant.metadata.namespace)}/${name}`
          const { resourceVersion } = (yield* api.merge(path, what)).metadata
          yield* api.until(
            path,
            (stored) =>
              stored !== undefined &&
              stored.metadata.resourceVersion !== resourceVersion &&
              differenceFrom(meant, stored) === undefined &&
              foreignIn(meant, stored).length === 0,
            20,
          )
        }
        yield* settles(ada, "active")
      }),
    )
  },
)
