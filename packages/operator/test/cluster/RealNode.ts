/**
 * A whole Kubernetes node on this machine, as root: control plane, containerd, runc, kubelet, kube-proxy, kube-router's
 * policy controller, CoreDNS as a pod, volumes that are folders, and an outside that plays the internet. One at a time: a
 * second one waits. On failure to start: the component's last words.
 */
import { spawnSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Api } from "./Api.ts"
import { binaries } from "./Binaries.ts"
import * as Components from "./Components.ts"
import {
  certificates,
  isReady,
  lay,
  type PlaneComponent,
  ready as planeReady,
  writeKubeconfig,
} from "./ControlPlane.ts"
import type { Plane } from "./ControlPlaneComponents.ts"
import { attempt, ClusterFailed } from "./Failure.ts"
import { base } from "./Folder.ts"
import { type Handle, open, serves, writeFacts } from "./Handle.ts"
import type { ImageFailed } from "./images/Failed.ts"
import { staticImage } from "./images/Static.ts"
import { locked } from "./Lock.ts"
import * as Addresses from "./node/Addresses.ts"
import {
  cniConfiguration,
  cniFolder,
  containerdConfiguration,
  containerdFile,
  kubeletConfiguration,
  kubeletFile,
  nodeCommands,
  nodeComponents,
} from "./node/Configuration.ts"
import { dnsObjects, dnsPath, hostsFile } from "./node/Dns.ts"
import { networkUp } from "./node/Network.ts"
import { losePower, makeCgroups } from "./node/Remains.ts"
import * as Pki from "./Pki.ts"
import { satisfy } from "./Requirements.ts"
import { storageClass } from "./StorageClasses.ts"
import { clearNode } from "./TakeDown.ts"

export type NodeComponent = Exclude<PlaneComponent, "kwok"> | (typeof nodeComponents)[number]

const server = `https://${Addresses.nodeAddress}:${Addresses.apiserverPort}`
const hostsFolder = (folder: string) => join(folder, "names")
const nodePath = `/api/v1/nodes/${Addresses.nodeName}`

const command = (command: ReadonlyArray<string>) =>
  attempt(command.join(" "), () => {
    const { error, status, stderr, stdout } = spawnSync(command[0] ?? "", command.slice(1), { encoding: "utf8" })
    if (status !== 0) throw error ?? new Error(stderr.trim() || `ended with ${status}`)
    return stdout
  })

const succeeds = (line: ReadonlyArray<string>) =>
  command(line).pipe(
    Effect.as(true),
    Effect.orElseSucceed(() => false),
  )

const answers = (api: Api, path: string) =>
  api.request("GET", path).pipe(
    Effect.map(({ status }) => status === 200),
    Effect.orElseSucceed(() => false),
  )

const ctr = (...args: ReadonlyArray<string>) => ["ctr", "--address", Addresses.containerdSocket, ...args]
const inNode = (...args: ReadonlyArray<string>) => [
  "nsenter",
  `--net=${Addresses.networkFile(Addresses.nodeNetwork)}`,
  ...args,
]

/** When a component serves. Of the kubelet: that it answers, and that it has told the apiserver so. */
const ready =
  (folder: string) =>
  (name: NodeComponent, api: Api): Effect.Effect<void, ClusterFailed> => {
    switch (name) {
      case "containerd":
        return serves(folder, name, succeeds(ctr("version")), 30)
      case "kubelet":
        return Effect.andThen(
          serves(folder, name, answers(api, `${nodePath}/proxy/healthz`), 90),
          Effect.asVoid(api.until(nodePath, isReady, 90)),
        )
      case "policies":
        return serves(folder, name, succeeds(inNode("iptables", "-n", "-L", "KUBE-ROUTER-FORWARD")), 60)
      default:
        return planeReady(folder)(name, api)
    }
  }

export interface RealNodeHandle extends Handle<NodeComponent> {
  /** Makes an image archive known to the node. */
  readonly importImage: (tar: string) => Effect.Effect<void, ClusterFailed>
  /** What names of the outside mean to every pod, from now on; those of before are forgotten. Takes a second. */
  readonly outsideNames: (names: Readonly<Record<string, string>>) => Effect.Effect<void, ClusterFailed>
  /** As a loss of power: every process of the node and of its pods is killed at once, and what is not on disk is gone. */
  readonly reboot: Effect.Effect<void, ClusterFailed>
}

const everything: ReadonlyArray<NodeComponent> = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
  "volumes",
  ...nodeComponents,
]

const openNode = (folder: string): RealNodeHandle => {
  const handle = open<NodeComponent>(folder, ready(folder))
  return {
    ...handle,
    importImage: (tar) => Effect.asVoid(command(ctr("--namespace", "k8s.io", "images", "import", tar))),
    outsideNames: (names) =>
      attempt("names", () => writeFileSync(join(hostsFolder(folder), "hosts"), hostsFile(names))),
    reboot: Effect.gen(function* () {
      yield* attempt("reboot", () => {
        for (const name of everything) Components.kill(folder, name)
        losePower(folder)
        makeCgroups()
      })
      for (const name of everything) yield* handle.start(name)
      yield* handle.api.until(nodePath, isReady, 90)
    }),
  }
}

/** Archives that every node has. */
const images = (pause: string, coredns: string) =>
  Effect.all(
    [
      staticImage({ name: "pause", program: pause, user: "65535:65535" }),
      staticImage({ name: "coredns", program: coredns }),
    ],
    { concurrency: 2 },
  ).pipe(Effect.mapError((error: ImageFailed) => new ClusterFailed({ message: error.message })))

/** Held while a node stands; the next one waits. */
const lock = (say: (line: string) => void) =>
  Effect.gen(function* () {
    yield* attempt(base(), () => mkdirSync(base(), { recursive: true }))
    yield* locked(join(base(), "node.lock"), "another node stands on this machine; this one waits for it to go", say)
  })

const layNode = (plane: Plane, pause: string) => {
  const { folder, hyper } = plane
  lay(plane, server, { jobs: "run", startMillis: 0 })
  for (const name of ["kubelet", "kube-proxy"]) writeKubeconfig(folder, server, name)
  for (const name of [cniFolder(folder), join(folder, "kubelet"), hostsFolder(folder)])
    mkdirSync(name, { recursive: true })
  writeFileSync(join(cniFolder(folder), "10-berth.conflist"), cniConfiguration(folder))
  writeFileSync(containerdFile(folder), containerdConfiguration(folder, pause))
  writeFileSync(kubeletFile(folder), kubeletConfiguration(folder))
  writeFileSync(join(folder, "resolv.conf"), "")
  writeFileSync(join(hostsFolder(folder), "hosts"), "")
  for (const [name, component] of Object.entries(nodeCommands(folder, hyper)))
    Components.define(folder, name, component)
}

/**
 * Starts a node in a folder; whoever calls takes it down. The lock is held by the scope. A node that was left behind is
 * taken down first.
 */
export const startNodeIn = Effect.fn("RealNode.startNodeIn")(function* (folder: string, say: (line: string) => void) {
  yield* satisfy("node")
  const { coredns, hyper, pause } = yield* binaries(say)
  const [pauseImage, dnsImage] = yield* images(pause, coredns)
  yield* lock(say)
  yield* clearNode(folder)
  yield* Pki.make(folder, [
    ...certificates([
      "DNS:kubernetes",
      "DNS:kubernetes.default",
      "DNS:kubernetes.default.svc",
      `IP:${Addresses.nodeAddress}`,
      `IP:${Addresses.firstService}`,
    ]),
    {
      name: "kubelet",
      user: `system:node:${Addresses.nodeName}`,
      groups: ["system:nodes"],
      serves: [`DNS:${Addresses.nodeName}`, `IP:${Addresses.nodeAddress}`],
    },
    { name: "kube-proxy", user: "system:kube-proxy" },
  ])
  const plane: Plane = {
    folder,
    hyper,
    port: Addresses.apiserverPort,
    bind: "0.0.0.0",
    address: Addresses.nodeAddress,
    services: Addresses.services,
    pods: Addresses.pods,
    realNodes: true,
    network: Addresses.networkFile(Addresses.nodeNetwork),
  }
  yield* attempt(folder, () => {
    writeFacts(folder, { tier: "node", server, hyper, coredns, pause })
    layNode(plane, pauseImage.tag)
    makeCgroups()
  })
  yield* Effect.forEach(networkUp, command, { discard: true })
  const node = openNode(folder)
  yield* Effect.all(
    [
      Effect.andThen(node.start("etcd"), node.start("kube-apiserver")),
      Effect.andThen(
        node.start("containerd"),
        Effect.forEach([pauseImage, dnsImage], ({ tar }) => node.importImage(tar), { discard: true }),
      ),
    ],
    { concurrency: 2, discard: true },
  )
  yield* Effect.forEach(everything, (name) => node.start(name), { discard: true })
  yield* Effect.forEach(["local-path", "sized"] as const, (name) =>
    node.api.apply(`/apis/storage.k8s.io/v1/storageclasses/${name}`, storageClass(name)),
  )
  yield* Effect.forEach(
    dnsObjects(dnsImage.tag, hostsFolder(folder)),
    ([path, object]) => node.api.apply(path, object),
    {
      discard: true,
    },
  )
  yield* node.api.until(dnsPath, (deployment) => deployment?.status?.availableReplicas === 1)
  const dead = everything.find((name) => Components.pidOf(folder, name) === undefined)
  if (dead !== undefined)
    return yield* new ClusterFailed({ message: `${dead} ended:\n${Components.tail(folder, dead, 40)}` })
  return node
})

export class RealNode extends Context.Service<RealNode, RealNodeHandle>()("@berth/operator/test/RealNode") {
  /** The one in that folder, whoever set it up. */
  static readonly at = (folder: string) => attempt(folder, () => openNode(folder))
}
