/** The node tier is a real node: what runs in its pods, who reaches whom, what its disk keeps, and what it survives. */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { isReady } from "./ControlPlane.ts"
import { probeBinary, probeImage } from "./images/Static.ts"
import { dnsService, networkFile, nodeName, outsideNetwork, publicAddress } from "./node/Addresses.ts"
import { RealNode } from "./RealNode.ts"
import { realNode } from "./Shared.ts"

const serve = (name: string, port = 8080) => ["serve", JSON.stringify({ name, tcp: [`:${port}`] })]

const server = (name: string, image: string, volumes: ReadonlyArray<object> = []) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name },
  spec: {
    replicas: 1,
    strategy: { type: "Recreate" },
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        containers: [
          {
            name: "probe",
            image,
            imagePullPolicy: "Never",
            args: serve(name),
            readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
            volumeMounts: volumes.map((_, index) => ({ name: `volume-${index}`, mountPath: `/volume-${index}` })),
          },
        ],
        volumes: volumes.map((volume, index) => ({ name: `volume-${index}`, ...volume })),
      },
    },
  },
})

const claim = (name: string, storageClassName: string, storage: string) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name },
  spec: { accessModes: ["ReadWriteOnce"], storageClassName, resources: { requests: { storage } } },
})

const available = (object: any) =>
  object?.status?.availableReplicas === 1 && object.status.unavailableReplicas === undefined

interface Outcome {
  readonly worked: boolean
  readonly how: string
}

/** A namespace of the test's own, and what it does there. */
const inNamespace = Effect.fnUntraced(function* (name: string) {
  const node = yield* RealNode
  const image = yield* probeImage
  yield* node.importImage(image.tar)
  const core = `/api/v1/namespaces/${name}`
  const deployments = `/apis/apps/v1/namespaces/${name}/deployments`
  yield* Effect.acquireRelease(node.api.apply(core, { apiVersion: "v1", kind: "Namespace", metadata: { name } }), () =>
    Effect.ignore(node.api.remove(core)),
  )
  yield* node.api.until(`${core}/serviceaccounts/default`, (account) => account !== undefined)
  const attempts = (pod: string, list: ReadonlyArray<object>) =>
    node.kubectl(["-n", name, "exec", `deploy/${pod}`, "--", "/probe", "run", JSON.stringify(list)]).pipe(
      Effect.map((printed) =>
        printed
          .trim()
          .split("\n")
          .map((line) => JSON.parse(line) as Outcome),
      ),
    )
  return {
    ...node,
    image: image.tag,
    core,
    deployments,
    attempts,
    /** Until one attempt ends as told; what the network lets through changes a moment after the objects do. */
    attempt: (pod: string, one: object, worked: boolean) =>
      attempts(pod, [one]).pipe(
        Effect.map(([outcome]) => outcome),
        // A kubelet that has just started does not know its pods yet.
        Effect.catch(({ message }) => Effect.succeed<Outcome>({ worked: false, how: message })),
        Effect.repeat({
          schedule: Schedule.spaced("200 millis"),
          until: (outcome) => outcome?.worked === worked,
          times: 50,
        }),
      ),
    run: (pod: string, volumes: ReadonlyArray<object> = []) =>
      Effect.andThen(
        node.api.apply(`${deployments}/${pod}`, server(pod, image.tag, volumes)),
        node.api.until(`${deployments}/${pod}`, available),
      ),
  }
})

const podOf = (pods: any) => pods.items.find((pod: any) => pod.metadata.deletionTimestamp === undefined)

describe("a real node", () => {
  layer(realNode, { excludeTestServices: true })((it) => {
    it.effect("runs pods that find each other and the outside by name, and tells what they print", () =>
      Effect.gen(function* () {
        const test = yield* inNamespace("node-names")
        yield* test.run("one")
        yield* test.run("two")
        yield* test.api.apply(`${test.core}/services/two`, {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "two" },
          spec: { selector: { app: "two" }, ports: [{ port: 80, targetPort: 8080 }] },
        })
        const program = yield* probeBinary
        yield* test.runs("names-outside", {
          command: program,
          args: serve("outside", 443),
          network: networkFile(outsideNetwork),
        })
        yield* test.outsideNames({ "outside.example": publicAddress })

        const byName = yield* test.attempt("one", { kind: "http", address: "two.node-names.svc:80" }, true)
        assert.include(byName?.how, "two")
        const outside = yield* test.attempt("one", { kind: "http", address: "outside.example:443" }, true)
        assert.include(outside?.how, "outside")
        const dns = yield* test.attempt(
          "one",
          { kind: "dns", address: `${dnsService}:53`, name: "two.node-names.svc.cluster.local.", network: "tcp" },
          true,
        )
        assert.isTrue(dns?.worked)
        assert.include(yield* test.kubectl(["-n", "node-names", "logs", "deploy/two"]), `"serving":"two"`)
      }).pipe(Effect.scoped),
    )

    it.effect("refuses what a NetworkPolicy refuses, also once the policy controller was killed and started", () =>
      Effect.gen(function* () {
        const test = yield* inNamespace("node-policies")
        yield* test.run("one")
        yield* test.run("two")
        const pods = yield* test.api.get(`${test.core}/pods?labelSelector=app%3Dtwo`)
        const toTwo = { kind: "http", address: `${podOf(pods).status.podIP}:8080`, millis: 1_500 }
        assert.isTrue((yield* test.attempt("one", toTwo, true))?.worked)

        const policies = `/apis/networking.k8s.io/v1/namespaces/node-policies/networkpolicies/deny`
        yield* test.api.apply(policies, {
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { name: "deny" },
          spec: { podSelector: { matchLabels: { app: "one" } }, policyTypes: ["Egress"], egress: [] },
        })
        assert.isFalse((yield* test.attempt("one", toTwo, false))?.worked)

        yield* test.kill("policies")
        yield* test.api.remove(policies)
        yield* Effect.sleep("1 second")
        assert.isFalse((yield* test.attempts("one", [toTwo]))[0]?.worked, "nobody enforces what is new")
        yield* test.start("policies")
        assert.isTrue((yield* test.attempt("one", toTwo, true))?.worked)
      }).pipe(Effect.scoped),
    )

    it.effect("keeps pods running while kubelet and containerd are killed and started", () =>
      Effect.gen(function* () {
        const test = yield* inNamespace("node-restarts")
        yield* test.run("one")
        const pods = `${test.core}/pods`
        const before = podOf(yield* test.api.get(pods))
        yield* test.restart("kubelet")
        yield* test.restart("containerd")
        // It asks containerd, through the kubelet.
        assert.isTrue((yield* test.attempt("one", { kind: "http", address: "127.0.0.1:8080" }, true))?.worked)
        const after = podOf(yield* test.api.get(pods))
        assert.strictEqual(after.metadata.uid, before.metadata.uid)
        assert.strictEqual(after.status.containerStatuses[0].restartCount, 0)
      }).pipe(Effect.scoped),
    )

    it.effect("loses no volume to a loss of power, and all of it to a policy of Delete", () =>
      Effect.gen(function* () {
        const test = yield* inNamespace("node-volumes")
        const claims = `${test.core}/persistentvolumeclaims`
        yield* test.api.apply(`${claims}/data`, claim("data", "local-path", "1Gi"))
        yield* test.run("one", [{ persistentVolumeClaim: { claimName: "data" } }])
        const volumeName = (yield* test.api.get(`${claims}/data`)).spec.volumeName
        const volume = `/api/v1/persistentvolumes/${volumeName}`
        const place = (yield* test.api.get(volume)).spec.hostPath.path
        writeFileSync(join(place, "kept"), "kept")

        yield* test.reboot
        yield* test.api.until(
          `${test.core}/pods`,
          (pods) => isReady(podOf(pods)) && podOf(pods).status.containerStatuses[0].restartCount > 0,
          120,
        )
        const read = yield* test.attempt("one", { kind: "read", name: "/volume-0/kept" }, true)
        assert.strictEqual(read?.how, "kept")

        yield* test.api.merge(volume, { spec: { persistentVolumeReclaimPolicy: "Delete" } })
        yield* test.api.remove(`${test.deployments}/one`)
        yield* test.api.remove(`${claims}/data`)
        yield* test.api.until(volume, (one) => one === undefined)
        assert.isFalse(existsSync(place))
      }).pipe(Effect.scoped),
    )

    it.effect("tells how full a volume of fixed size is", () =>
      Effect.gen(function* () {
        const test = yield* inNamespace("node-sizes")
        yield* test.api.apply(`${test.core}/persistentvolumeclaims/data`, claim("data", "sized", "16Mi"))
        yield* test.run("one", [{ persistentVolumeClaim: { claimName: "data" } }])
        const told = yield* test.api.until(
          `/api/v1/nodes/${nodeName}/proxy/stats/summary`,
          (summary) => statsOf(summary, "node-sizes") !== undefined,
          120,
        )
        assert.strictEqual(statsOf(told, "node-sizes").capacityBytes, 16 * 1_024 * 1_024)
      }).pipe(Effect.scoped),
    )
  })
})

const statsOf = (summary: any, namespace: string) =>
  (summary?.pods ?? [])
    .filter((pod: any) => pod.podRef.namespace === namespace)
    .flatMap((pod: any) => pod.volume ?? [])
    .find((volume: any) => volume.pvcRef?.name === "data")
