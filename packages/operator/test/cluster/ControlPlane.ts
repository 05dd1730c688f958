/**
 * A real kube-apiserver on etcd with its controllers, its scheduler and fake nodes, as an unprivileged user: the cheap tier.
 * Several stand side by side. State survives the death of any component. On failure to start: the component's last words.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { freePorts } from "@berth/domain/testing/FreePorts"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Api } from "./Api.ts"
import { binaries } from "./Binaries.ts"
import * as Components from "./Components.ts"
import {
  etcdSocket,
  kubeconfigOf,
  type Plane,
  planeCommands,
  planeComponents,
  schedulerConfiguration,
  schedulerFile,
  stagesFile,
  volumesFolder,
} from "./ControlPlaneComponents.ts"
import { attempt } from "./Failure.ts"
import { type FakePods, fakeNode, stages } from "./FakeNodes.ts"
import { openFolder } from "./Folder.ts"
import { type Handle, open, serves, writeFacts } from "./Handle.ts"
import { kubeconfig } from "./Kubeconfig.ts"
import * as Pki from "./Pki.ts"
import { satisfy } from "./Requirements.ts"
import { storageClass } from "./StorageClasses.ts"
import { takeDown } from "./TakeDown.ts"

export type PlaneComponent = (typeof planeComponents)[number]

export interface ControlPlaneOptions extends Partial<FakePods> {
  /** Fake nodes, each with room for 500 pods. */
  readonly nodes?: number
}

const listens = (socket: string) =>
  Effect.callback<boolean>((resume) => {
    const connection = connect(socket)
    connection.on("connect", () => resume(Effect.succeed(true)))
    connection.on("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => connection.destroy())
  })

/** When a component of a control plane serves; the controllers have no address to ask. */
export const ready = (folder: string) => (name: string, api: Api) => {
  switch (name) {
    case "etcd":
      return serves(folder, name, listens(etcdSocket(folder)), 30)
    case "kube-apiserver":
      return serves(
        folder,
        name,
        api.request("GET", "/readyz").pipe(
          Effect.map(({ status }) => status === 200),
          Effect.orElseSucceed(() => false),
        ),
        90,
      )
    default:
      return Effect.void
  }
}

const users = [
  { name: "admin", user: "admin", groups: ["system:masters"] },
  { name: "controllers", user: "system:kube-controller-manager" },
  { name: "scheduler", user: "system:kube-scheduler" },
] as const

/** Certificates of a control plane; `serves` are the names and addresses of its apiserver. */
export const certificates = (serves: ReadonlyArray<string>): ReadonlyArray<Pki.Certificate> => [
  { name: "apiserver", user: "kube-apiserver", serves: ["DNS:localhost", "IP:127.0.0.1", ...serves] },
  { name: "apiserver-kubelet", user: "kube-apiserver-kubelet-client", groups: ["system:masters"] },
  { name: "front-proxy", user: "front-proxy-client" },
  ...users,
]

/** Writes a kubeconfig with the certificate of that name. */
export const writeKubeconfig = (folder: string, server: string, name: string): void =>
  writeFileSync(
    kubeconfigOf(folder, name),
    kubeconfig(server, Pki.read(folder, "ca.crt"), name, {
      certificate: Pki.read(folder, `${name}.crt`),
      key: Pki.read(folder, `${name}.key`),
    }),
    { mode: 0o600 },
  )

/** Writes what a control plane's components read, and how each is started. */
export const lay = (plane: Plane, server: string, pods: FakePods) => {
  for (const { name } of users) writeKubeconfig(plane.folder, server, name)
  mkdirSync(volumesFolder(plane.folder), { recursive: true })
  writeFileSync(schedulerFile(plane.folder), schedulerConfiguration(plane.folder))
  writeFileSync(stagesFile(plane.folder), stages(pods))
  for (const [name, component] of Object.entries(planeCommands(plane))) Components.define(plane.folder, name, component)
}

/** Starts a control plane in a folder; whoever calls takes it down. */
export const startIn = Effect.fn("ControlPlane.startIn")(function* (
  folder: string,
  { jobs = "complete", nodes = 3, startMillis = 0 }: ControlPlaneOptions,
  say: (line: string) => void,
) {
  yield* satisfy("k8s")
  const { coredns, hyper, pause } = yield* binaries(say)
  const [port = 0] = yield* Effect.promise(() => freePorts(1))
  const server = `https://127.0.0.1:${port}`
  yield* Pki.make(folder, certificates([]))
  const plane: Plane = {
    folder,
    hyper,
    port,
    bind: "127.0.0.1",
    address: "127.0.0.1",
    services: "10.96.0.0/16",
    pods: "10.244.0.0/16",
    realNodes: false,
  }
  yield* attempt(folder, () => {
    lay(plane, server, { jobs, startMillis })
    writeFacts(folder, { tier: "k8s", server, hyper, coredns, pause })
  })
  const cluster = open<PlaneComponent>(folder, ready(folder))
  yield* cluster.start("etcd")
  yield* cluster.start("kube-apiserver")
  for (const name of planeComponents) yield* cluster.start(name)
  const names = Array.from({ length: nodes }, (_, index) => `fake-${index}`)
  yield* cluster.api.apply("/apis/storage.k8s.io/v1/storageclasses/local-path", storageClass("local-path"))
  yield* Effect.forEach(names, (name) => cluster.api.request("POST", "/api/v1/nodes", fakeNode(name)))
  yield* Effect.forEach(names, (name) => cluster.api.until(`/api/v1/nodes/${name}`, isReady))
  return cluster
})

/** Whether a node or pod says that it is. */
export const isReady = (object: any): boolean =>
  (object?.status?.conditions ?? []).some((one: any) => one.type === "Ready" && one.status === "True")

export class ControlPlane extends Context.Service<ControlPlane, Handle<PlaneComponent>>()(
  "@berth/operator/test/ControlPlane",
) {
  /** One of the caller's own, gone with the scope. */
  static readonly make = Effect.fn("ControlPlane.make")(function* (options: ControlPlaneOptions = {}) {
    const folder = yield* Effect.acquireRelease(attempt("folder", openFolder), (folder) =>
      Effect.sync(() => takeDown(folder)),
    )
    return yield* startIn(folder, options, (line) => process.stderr.write(`${line}\n`))
  })

  /** The one in that folder, whoever set it up. */
  static readonly at = (folder: string) => attempt(folder, () => open<PlaneComponent>(folder, ready(folder)))

  static readonly layer = (options: ControlPlaneOptions = {}) => Layer.effect(ControlPlane, ControlPlane.make(options))
}
