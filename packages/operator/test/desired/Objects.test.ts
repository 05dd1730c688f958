import { assert, describe, it } from "@effect/vitest"
import * as Redacted from "effect/Redacted"
import type { AgentSpec } from "../../src/Agent.ts"
import { desired } from "../../src/desired/Objects.ts"
import { closedRanges } from "../../src/desired/NetworkPolicy.ts"
import { at, hashOf, type Manifest } from "../../src/Manifest.ts"
import { embedded, type OperatorSettings } from "../../src/Settings.ts"
import { ada, secrets, secretValues, spec } from "../World.ts"

const settings = { ...embedded, clusterRanges: ["203.0.113.7/32", "2001:db8::7/128"] }
const objects = (change: Partial<AgentSpec> = {}, opened = secrets) =>
  desired({ customerId: ada, spec: { ...spec, ...change } }, opened, settings)
const one = (kind: string, change: Partial<AgentSpec> = {}, opened = secrets): Manifest => {
  const found = objects(change, opened).find(({ object }) => object.kind === kind)
  assert.isDefined(found, kind)
  return found.object
}
const pod = (change: Partial<AgentSpec> = {}) => at(one("Deployment", change), "spec", "template", "spec")
const container = (change: Partial<AgentSpec> = {}) => at(pod(change), "containers", 0)
const config = (change: Partial<AgentSpec> = {}) =>
  JSON.parse(String(at(one("ConfigMap", change), "data", "openclaw.json"))) as unknown

describe("the objects of an agent", () => {
  it("come in an order in which nothing can run before it is fenced in", () => {
    assert.deepStrictEqual(
      objects().map(({ step, object }) => `${step}: ${object.kind}`),
      [
        "Namespace: Namespace",
        "Namespace: RoleBinding",
        "ServiceAccount: ServiceAccount",
        "Secret: Secret",
        "ConfigMap: ConfigMap",
        "Quota: ResourceQuota",
        "Quota: LimitRange",
        "NetworkPolicy: NetworkPolicy",
        "Volume: PersistentVolumeClaim",
        "Service: Service",
        "Deployment: Deployment",
      ],
    )
  })

  it("all lie in the customer's namespace, carry the customer's label and have no owner", () => {
    for (const { object } of objects()) {
      assert.strictEqual(object.metadata.labels?.["berth.dev/customer"], "ada")
      assert.isUndefined(object.metadata.ownerReferences)
      if (object.kind !== "Namespace") assert.strictEqual(object.metadata.namespace, "customer-ada")
    }
  })

  it("hold secrets nowhere but in the Secret, and there only the customer's own three", () => {
    for (const { object } of objects()) {
      const text = JSON.stringify(object)
      for (const value of Object.values(secretValues)) {
        assert.notInclude(text, value)
        if (object.kind !== "Secret") assert.notInclude(text, Buffer.from(value).toString("base64"))
      }
    }
    const data = one("Secret").data as Record<string, string>
    assert.deepStrictEqual(
      Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64").toString()])),
      {
        PROXY_TOKEN: secretValues.proxyToken,
        TELEGRAM_BOT_TOKEN: secretValues.botToken,
        OPENCLAW_GATEWAY_TOKEN: secretValues.gatewayToken,
      },
    )
  })

  it("are the same for the same agent", () => {
    assert.strictEqual(hashOf(objects()), hashOf(objects()))
  })
})

describe("the namespace", () => {
  it("is restricted in all three modes", () => {
    for (const mode of ["enforce", "audit", "warn"])
      assert.strictEqual(one("Namespace").metadata.labels?.[`pod-security.kubernetes.io/${mode}`], "restricted")
  })

  it("gives the operator its rights, and the pod's account none", () => {
    assert.deepStrictEqual(one("RoleBinding").subjects, [
      { kind: "ServiceAccount", name: "operator", namespace: "platform" },
    ])
    assert.strictEqual(one("ServiceAccount").automountServiceAccountToken, false)
  })
})

describe("the NetworkPolicy", () => {
  it("is exactly: the operator in; DNS, token-proxy and public HTTPS out", () => {
    assert.deepStrictEqual(one("NetworkPolicy").spec, {
      podSelector: {},
      policyTypes: ["Ingress", "Egress"],
      ingress: [
        {
          from: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "platform" } },
              podSelector: { matchLabels: { "app.kubernetes.io/name": "operator" } },
            },
          ],
          ports: [{ protocol: "TCP", port: 18789 }],
        },
      ],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
              podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
            },
          ],
          ports: [
            { protocol: "UDP", port: 53 },
            { protocol: "TCP", port: 53 },
          ],
        },
        {
          to: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "platform" } },
              podSelector: { matchLabels: { "app.kubernetes.io/name": "token-proxy" } },
            },
          ],
          ports: [{ protocol: "TCP", port: 8080 }],
        },
        {
          to: [
            {
              ipBlock: {
                cidr: "0.0.0.0/0",
                except: [
                  "10.0.0.0/8",
                  "172.16.0.0/12",
                  "192.168.0.0/16",
                  "100.64.0.0/10",
                  "169.254.0.0/16",
                  "127.0.0.0/8",
                  "203.0.113.7/32",
                ],
              },
            },
            {
              ipBlock: {
                cidr: "::/0",
                except: ["fc00::/7", "fe80::/10", "::1/128", "64:ff9b::/96", "2001:db8::7/128"],
              },
            },
          ],
          ports: [{ protocol: "TCP", port: 443 }],
        },
      ],
    })
    assert.include(closedRanges, "169.254.0.0/16")
  })
})

describe("the pod", () => {
  it("runs without root, capabilities, token, service links or a writable root", () => {
    for (const side of ["containers", "initContainers"])
      assert.deepStrictEqual(at(pod(), side, 0, "securityContext"), {
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        runAsUser: 10_001,
        runAsGroup: 10_001,
        capabilities: { drop: ["ALL"] },
        seccompProfile: { type: "RuntimeDefault" },
      })
    assert.strictEqual(at(pod(), "automountServiceAccountToken"), false)
    assert.strictEqual(at(pod(), "enableServiceLinks"), false)
  })

  it("has nothing in its environment but paths and the customer's three secrets by reference", () => {
    const env = at(container(), "env") as ReadonlyArray<{ name: string; value?: string }>
    assert.deepStrictEqual(
      env.map(({ name, value }) => `${name}=${value ?? "(secret)"}`),
      [
        "HOME=/data",
        "OPENCLAW_STATE_DIR=/data/state",
        "OPENCLAW_CONFIG_PATH=/config/openclaw.json",
        "OPENCLAW_CONFIG_READONLY=1",
        "NODE_COMPILE_CACHE=/data/compile-cache",
        "PROXY_TOKEN=(secret)",
        "TELEGRAM_BOT_TOKEN=(secret)",
        "OPENCLAW_GATEWAY_TOKEN=(secret)",
      ],
    )
  })

  it("waits for its policy before anything of the agent runs, from the same image by digest", () => {
    const [gate] = at(pod(), "initContainers") as ReadonlyArray<unknown>
    assert.strictEqual(at(gate, "image"), at(container(), "image"))
    assert.match(String(at(container(), "image")), /@sha256:[0-9a-f]{64}$/)
    assert.include(String(at(gate, "command", 2)), "KUBERNETES_SERVICE_HOST")
  })

  it("is replaced, never doubled, and has 330 s to finish a turn", () => {
    assert.deepStrictEqual(at(one("Deployment"), "spec", "strategy"), { type: "Recreate" })
    assert.strictEqual(at(pod(), "terminationGracePeriodSeconds"), 330)
    const probes = ["startupProbe", "readinessProbe", "livenessProbe"].map((probe) =>
      at(container(), probe, "httpGet", "path"),
    )
    assert.deepStrictEqual(probes, ["/startupz", "/startupz", "/healthz"])
  })

  it("has memory for its first turn in every tier, and bounds on all it may fill", () => {
    for (const tier of ["starter", "pro", "team"] as const) {
      assert.strictEqual(at(container({ tier }), "resources", "requests", "memory"), "1280Mi")
      assert.include(["2Gi", "4Gi"], at(container({ tier }), "resources", "limits", "memory"))
      assert.isDefined(at(container({ tier }), "resources", "limits", "ephemeral-storage"))
    }
    const tmp = (at(pod(), "volumes") as ReadonlyArray<unknown>).find((volume) => at(volume, "name") === "tmp")
    assert.strictEqual(at(tmp, "emptyDir", "sizeLimit"), "256Mi")
  })

  it("runs where and how the settings say, and says nothing of it unless they do", () => {
    const placed = (change: Partial<OperatorSettings>) =>
      desired({ customerId: ada, spec }, secrets, { ...settings, ...change })
        .map(({ object }) => at(object, "spec", "template", "spec"))
        .find((one) => one !== undefined)
    for (const field of ["runtimeClassName", "priorityClassName", "affinity"]) assert.isUndefined(at(placed({}), field))
    assert.strictEqual(at(placed({ runtimeClass: "gvisor" }), "runtimeClassName"), "gvisor")
    assert.strictEqual(at(placed({ priorityClass: "agents" }), "priorityClassName"), "agents")
    const zone = "topology.kubernetes.io/zone"
    const spread = at(
      placed({ topologySpread: zone }),
      "affinity",
      "podAntiAffinity",
      "preferredDuringSchedulingIgnoredDuringExecution",
      0,
      "podAffinityTerm",
    )
    assert.strictEqual(at(spread, "topologyKey"), zone)
    // Of all customers: one that counted its own namespace alone would spread nothing.
    assert.deepStrictEqual(at(spread, "namespaceSelector"), {
      matchExpressions: [{ key: "berth.dev/customer", operator: "Exists" }],
    })
  })

  it("runs only while nothing suspends the agent", () => {
    assert.strictEqual(at(one("Deployment"), "spec", "replicas"), 1)
    assert.strictEqual(at(one("Deployment", { suspended: ["customer"] }), "spec", "replicas"), 0)
  })

  it("is rolled by a changed configuration, secret or restart, and by nothing else", () => {
    const template = (change: Partial<AgentSpec>, other: Partial<typeof secrets> = {}) =>
      hashOf(at(one("Deployment", change, { ...secrets, ...other }), "spec", "template"))
    const before = template({})
    for (const purpose of ["proxyToken", "botToken", "gatewayToken"] as const)
      assert.notStrictEqual(template({}, { [purpose]: Redacted.make("another") }), before, purpose)
    assert.notStrictEqual(template({ telegram: { botUsername: "ada_bot", allowedUserIds: ["1"] } }), before)
    assert.notStrictEqual(template({ restartedAt: 1 }), before)
    assert.strictEqual(template({ generation: 9 }), before)
    assert.strictEqual(template({ suspended: ["payment"] }), before)
  })
})

describe("OpenClaw's configuration", () => {
  it("spends nothing by itself, phones nowhere and knows one provider", () => {
    assert.strictEqual(at(config(), "agents", "defaults", "heartbeat", "every"), "0m")
    assert.deepStrictEqual(at(config(), "telemetry"), { enabled: false })
    assert.deepStrictEqual(at(config(), "discovery"), { mdns: { mode: "off" } })
    assert.deepStrictEqual(at(config(), "update"), { checkOnStart: false, auto: { enabled: false } })
    assert.deepStrictEqual(at(config(), "skills"), { workshop: { autonomous: { mode: "off" } } })
    assert.strictEqual(at(config(), "models", "catalogRefresh", "enabled"), false)
    const providers = at(config(), "models", "providers") as Record<string, unknown>
    assert.deepStrictEqual(Object.keys(providers), ["berth"])
    assert.strictEqual(at(providers.berth, "baseUrl"), "http://token-proxy.platform.svc/v1")
  })

  it("answers the allowed users alone", () => {
    const telegram = at(config(), "channels", "telegram")
    assert.strictEqual(at(telegram, "dmPolicy"), "allowlist")
    assert.deepStrictEqual(at(telegram, "allowFrom"), ["4242"])
    assert.strictEqual(at(telegram, "groupPolicy"), "disabled")
  })

  it("offers the models asked for, the first as default", () => {
    const change = { models: ["kimi-k2.7-code"] } as const
    assert.strictEqual(at(config(change), "agents", "defaults", "model", "primary"), "berth/kimi-k2.7-code")
    assert.deepStrictEqual(
      (at(config(change), "models", "providers", "berth", "models") as ReadonlyArray<unknown>).map((model) => [
        at(model, "id"),
        at(model, "reasoning"),
        at(model, "maxTokens"),
      ]),
      [["kimi-k2.7-code", true, 32_768]],
    )
  })
})

describe("what the namespace may take", () => {
  const quotaOf = (tier: "starter" | "pro" | "team", standing?: string) =>
    at(
      desired(
        { customerId: ada, spec: { ...spec, tier } },
        secrets,
        settings,
        standing === undefined ? {} : { size: standing },
      ).find(({ object }) => object.kind === "ResourceQuota")?.object,
      "spec",
      "hard",
    ) as Record<string, string>

  it("is twice what the agent takes, volume and Service too, and no port to the outside", () => {
    assert.deepStrictEqual(quotaOf("pro"), {
      pods: "3",
      "requests.cpu": "200m",
      "requests.memory": "2560Mi",
      "limits.cpu": "4",
      "limits.memory": "4Gi",
      "requests.ephemeral-storage": "512Mi",
      "limits.ephemeral-storage": "2Gi",
      "requests.storage": "20Gi",
      persistentvolumeclaims: "2",
      services: "2",
      "services.nodeports": "0",
      "services.loadbalancers": "0",
    })
  })

  it("has room for a volume that is larger than the tier's, so that a lost namespace can be built again", () => {
    assert.strictEqual(quotaOf("starter", "20Gi")["requests.storage"], "40Gi")
    assert.strictEqual(quotaOf("team", "5Gi")["requests.storage"], "10Gi")
    assert.strictEqual(quotaOf("pro", "1.5Gi")["requests.storage"], "1.5Gi")
  })

  it("bounds every container that says nothing of its own by what the agent may take", () => {
    const [limit] = at(one("LimitRange"), "spec", "limits") as ReadonlyArray<unknown>
    const resources = at(container(), "resources")
    assert.deepStrictEqual(at(limit, "max"), at(resources, "limits"))
    assert.deepStrictEqual(at(limit, "default"), at(resources, "limits"))
    assert.deepStrictEqual(at(limit, "defaultRequest"), at(resources, "requests"))
  })
})

describe("the claim", () => {
  const size = (tier: "starter" | "team", standing: string, volumeExpansion: boolean) =>
    desired({ customerId: ada, spec: { ...spec, tier } }, secrets, { ...settings, volumeExpansion }, { size: standing })
      .map(({ object }) => at(object, "spec", "resources", "requests", "storage"))
      .find((storage) => storage !== undefined)

  it("never shrinks, and grows only where the storage class can do that", () => {
    assert.strictEqual(size("team", "5Gi", false), "5Gi")
    assert.strictEqual(size("team", "5Gi", true), "20Gi")
    assert.strictEqual(size("starter", "20Gi", true), "20Gi")
  })
})
