/**
 * A running cluster, known by its folder alone: how to reach it as anybody, and how to kill and start its parts. Any process
 * of the machine can hold one; none owns it.
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Api from "./Api.ts"
import * as Components from "./Components.ts"
import { kubeconfigOf } from "./ControlPlaneComponents.ts"
import { attempt, ClusterFailed } from "./Failure.ts"
import { kubeconfig } from "./Kubeconfig.ts"
import * as Pki from "./Pki.ts"

/** What stands in the folder's `cluster.json`. */
export interface Facts {
  readonly tier: "k8s" | "node"
  /** The apiserver's address, as this machine reaches it. */
  readonly server: string
  readonly hyper: string
  /** For an image. */
  readonly coredns: string
  /** For an image. */
  readonly pause: string
}

export type User =
  | { readonly serviceAccount: { readonly namespace: string; readonly name: string } }
  | { readonly name: string; readonly groups?: ReadonlyArray<string> }

export interface Handle<Name extends string = string> {
  readonly folder: string
  readonly facts: Facts
  /** Path of the administrator's kubeconfig: `KUBECONFIG` for whoever looks. */
  readonly admin: string
  /** Requests as the administrator. */
  readonly api: Api.Api
  /** kubectl as the administrator; gives what it printed. */
  readonly kubectl: (args: ReadonlyArray<string>, input?: string) => Effect.Effect<string, ClusterFailed>
  /** Path of a kubeconfig for somebody with no rights but those that were bound to him. */
  readonly kubeconfig: (user: User) => Effect.Effect<string, ClusterFailed>
  /** SIGKILL; comes back when the process is gone. */
  readonly kill: (name: Name) => Effect.Effect<void, ClusterFailed>
  /** Comes back when it serves. Does nothing to one that runs. */
  readonly start: (name: Name) => Effect.Effect<void, ClusterFailed>
  readonly restart: (name: Name) => Effect.Effect<void, ClusterFailed>
  /** A further process, which a cluster that is taken down takes along; killed when the scope closes. */
  readonly runs: (name: string, component: Components.Component) => Effect.Effect<void, ClusterFailed, Scope.Scope>
  /** Path of all that it printed since the cluster began. */
  readonly log: (name: string) => string
}

const factsFile = (folder: string) => join(folder, "cluster.json")

export const writeFacts = (folder: string, facts: Facts): void =>
  writeFileSync(factsFile(folder), JSON.stringify(facts, undefined, 1))

export const readFacts = (folder: string): Facts => JSON.parse(readFileSync(factsFile(folder), "utf8")) as Facts

const run = (command: string, args: ReadonlyArray<string>, folder: string, input: string) =>
  Effect.callback<string, ClusterFailed>((resume) => {
    const child = spawn(command, args, { env: { PATH: process.env.PATH ?? "", HOME: folder }, cwd: folder })
    let printed = ""
    let complaint = ""
    child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()))
    child.stdin.on("error", () => {
      // It ended without reading all of its input; its exit tells why.
    })
    child.on("error", (error) => resume(Effect.fail(new ClusterFailed({ message: error.message }))))
    child.on("close", (status) =>
      resume(
        status === 0
          ? Effect.succeed(printed)
          : Effect.fail(new ClusterFailed({ message: `kubectl ${args.slice(2).join(" ")}: ${complaint.trim()}` })),
      ),
    )
    child.stdin.end(input)
    return Effect.sync(() => child.kill("SIGKILL"))
  })

/** Real time passes between tries, and a component that ended is told by its last words. */
export const serves = (folder: string, name: string, asks: Effect.Effect<boolean>, seconds: number) =>
  Effect.gen(function* () {
    const until = performance.now() + seconds * 1_000
    while (!(yield* asks)) {
      const died = Components.pidOf(folder, name) === undefined
      if (died || performance.now() > until)
        return yield* new ClusterFailed({
          message: `${name} ${died ? "ended" : `does not serve after ${seconds} s`}:\n${Components.tail(folder, name)}`,
        })
      yield* Effect.promise(() => new Promise((done) => setTimeout(done, 50)))
    }
  })

/** The cluster in a folder. `ready` says for each component when it serves. */
export const open = <Name extends string>(
  folder: string,
  ready: (name: Name, api: Api.Api) => Effect.Effect<void, ClusterFailed>,
): Handle<Name> => {
  const facts = readFacts(folder)
  const admin = kubeconfigOf(folder, "admin")
  const api = Api.make({
    server: facts.server,
    ca: Pki.read(folder, "ca.crt"),
    certificate: Pki.read(folder, "admin.crt"),
    key: Pki.read(folder, "admin.key"),
  })
  const write = (user: string, credentials: Parameters<typeof kubeconfig>[3]) =>
    attempt(user, () => {
      const file = kubeconfigOf(folder, user)
      writeFileSync(file, kubeconfig(facts.server, Pki.read(folder, "ca.crt"), user, credentials), { mode: 0o600 })
      return file
    })
  const kill = (name: Name) => attempt(`kill ${name}`, () => Components.kill(folder, name))
  const start = (name: Name) =>
    Effect.andThen(
      attempt(`start ${name}`, () => Components.start(folder, name)),
      ready(name, api),
    )
  return {
    folder,
    facts,
    admin,
    api,
    kubectl: (args, input = "") => run(facts.hyper, ["kubectl", `--kubeconfig=${admin}`, ...args], folder, input),
    kubeconfig: Effect.fn("Handle.kubeconfig")(function* (user) {
      if ("serviceAccount" in user) {
        const { name, namespace } = user.serviceAccount
        const { body, status } = yield* api.request(
          "POST",
          `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
          { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: 24 * 3_600 } },
        )
        if (status !== 201)
          return yield* new ClusterFailed({ message: `no token for ${namespace}/${name}: ${status} ${body?.message}` })
        return yield* write(`${namespace}-${name}`, { token: String(body.status.token) })
      }
      const name = `user-${user.name.replaceAll(/[^\w-]/g, "-")}`
      if (!existsSync(Pki.fileOf(folder, `${name}.crt`)))
        yield* Pki.issue(folder, { name, user: user.name, groups: user.groups ?? [] })
      return yield* write(name, {
        certificate: Pki.read(folder, `${name}.crt`),
        key: Pki.read(folder, `${name}.key`),
      })
    }),
    kill,
    start,
    restart: (name) => Effect.andThen(kill(name), start(name)),
    runs: (name, component) =>
      Effect.acquireRelease(
        attempt(`start ${name}`, () => {
          Components.define(folder, name, component)
          Components.start(folder, name)
        }),
        () => Effect.sync(() => Components.forget(folder, name)),
      ),
    log: (name) => Components.logFile(folder, name),
  }
}
