/**
 * What the operator's ServiceAccount may not do on a real API server, with exactly the rights that are shipped. Each
 * refusal has its positive control: the same is granted where it should be, or to the administrator.
 */
import { CustomerId, namespaceOf } from "@berth/domain/Ids"
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import { agentCrd } from "../src/Agent/Crd.ts"
import { agentManifest } from "../src/Agent.ts"
import { Cluster } from "../src/Cluster.ts"
import { namespace, roleBinding } from "../src/desired/Namespace.ts"
import { secret } from "../src/desired/Secret.ts"
import { objectPath } from "../src/Kinds.ts"
import { at, type Manifest, type Ref, refOf } from "../src/Manifest.ts"
import { ControlPlane } from "./cluster/ControlPlane.ts"
import { clusterOf, operatorAccount, prepare } from "./RealCluster.ts"
import { secrets, spec } from "./World.ts"

const plain = (kind: string, name: string, more: object = {}): Manifest => ({
  apiVersion: "v1",
  kind,
  metadata: { name },
  ...more,
})

/** `Refused (Forbidden)`, `Conflict`, or `done`. */
const outcome = <A>(attempt: Effect.Effect<A, { readonly _tag: string; readonly reason?: string }, Cluster>) =>
  Effect.map(Effect.result(attempt), (result) =>
    Result.isSuccess(result)
      ? "done"
      : result.failure.reason === undefined
        ? result.failure._tag
        : `${result.failure._tag} (${result.failure.reason})`,
  )

const forbidden = "Refused (Forbidden)"

const apply = (manifest: Manifest) => Cluster.use((cluster) => cluster.apply(manifest))
const get = (ref: Ref) => Cluster.use((cluster) => cluster.get(ref))
const remove = (ref: Ref) => Cluster.use((cluster) => cluster.remove(ref))

/** A customer's namespace in which the operator has its rights; those come some moments after their binding. */
const tenant = Effect.fn(function* (name: string) {
  const id = CustomerId.make(name)
  yield* apply(namespace(id))
  yield* apply(roleBinding(id))
  yield* apply(secret(id, secrets)).pipe(Effect.retry({ schedule: Schedule.spaced("50 millis"), times: 200 }))
  return id
})

const prepared = Layer.effectContext(
  Effect.gen(function* () {
    const plane = yield* ControlPlane
    yield* prepare(plane)
    const cluster = yield* Layer.build(clusterOf(yield* plane.kubeconfig(operatorAccount)))
    // The server begins to enforce a policy some moments after it was stored.
    const probe = plain("Namespace", "no-customer")
    const enforced = outcome(apply(probe)).pipe(
      Effect.tap(() => plane.api.remove(objectPath(refOf(probe)))),
      Effect.repeat({ until: (answer) => answer === forbidden, schedule: Schedule.spaced("100 millis"), times: 300 }),
    )
    assert.strictEqual(yield* Effect.provideContext(enforced, cluster), forbidden)
    return cluster
  }),
).pipe(Layer.provideMerge(ControlPlane.layer({ nodes: 1 })))

layer(prepared, { excludeTestServices: true, timeout: 120_000 })("the operator's rights", (it) => {
  it.effect("reach Secrets where its binding stands, and those of no other namespace", () =>
    Effect.gen(function* () {
      const { api } = yield* ControlPlane
      const ada = yield* tenant("ada")
      const mine: Ref = { kind: "Secret", namespace: namespaceOf(ada), name: "openclaw" }
      assert.isTrue(Option.isSome(yield* get(mine)))

      yield* api.apply("/api/v1/namespaces/customer-bare", plain("Namespace", "customer-bare"))
      for (const where of ["platform", "default", "kube-system", "customer-bare"]) {
        const ref: Ref = { kind: "Secret", namespace: where, name: "theirs" }
        yield* api.apply(objectPath(ref), plain("Secret", "theirs", { data: { password: "aGk=" } }))
        assert.strictEqual(yield* outcome(get(ref)), forbidden, where)
        assert.strictEqual(
          yield* outcome(Cluster.use((cluster) => cluster.list("Secret", { namespace: where }))),
          forbidden,
        )
        assert.strictEqual(
          yield* outcome(apply({ ...plain("Secret", "x"), metadata: { name: "x", namespace: where } })),
          forbidden,
        )
      }
      // Nor may it list those of a customer, or of all, which would give their contents too.
      for (const selector of [{ namespace: namespaceOf(ada) }, {}])
        assert.strictEqual(yield* outcome(Cluster.use((cluster) => cluster.list("Secret", selector))), forbidden)
    }),
  )

  it.effect("can't be widened: no other role is bound, and the own one in customers' namespaces alone", () =>
    Effect.gen(function* () {
      const { api } = yield* ControlPlane
      const bob = yield* tenant("bob")
      const binding = roleBinding(bob)
      const bound = (namespaceName: string, role: string, kind = "ClusterRole"): Manifest => ({
        ...binding,
        metadata: { name: `to-${role}`, namespace: namespaceName },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind, name: role },
      })
      for (const role of ["cluster-admin", "admin", "edit", "view", "berth-operator"])
        assert.strictEqual(yield* outcome(apply(bound(namespaceOf(bob), role))), forbidden, role)
      for (const where of ["platform", "berth-agents", "default", "kube-system"])
        assert.strictEqual(yield* outcome(apply(bound(where, "berth-operator-tenant"))), forbidden, where)
      const toOthers = {
        ...binding,
        subjects: [{ kind: "ServiceAccount", name: "openclaw", namespace: namespaceOf(bob) }],
      }
      assert.strictEqual(yield* outcome(apply(toOthers)), forbidden)
      assert.strictEqual(yield* outcome(apply(bound(namespaceOf(bob), "berth-operator-tenant"))), "done")
      // The administrator may, so it is no fault of the object that the operator may not.
      const same = bound("platform", "berth-operator-tenant")
      const made = yield* api.apply(objectPath(refOf(same)), same)
      assert.strictEqual(at(made, "metadata", "name"), "to-berth-operator-tenant")
      yield* api.remove(objectPath(refOf(same)))
    }),
  )

  it.effect("make and delete customers' namespaces and no others", () =>
    Effect.gen(function* () {
      const eve = yield* tenant("eve")
      for (const name of ["platform", "berth-agents", "default", "kube-system"]) {
        assert.strictEqual(yield* outcome(remove({ kind: "Namespace", name })), forbidden, name)
        const labelled = { ...plain("Namespace", name), metadata: { name, labels: { a: "b" } } }
        assert.strictEqual(yield* outcome(apply(labelled)), forbidden, name)
      }
      assert.strictEqual(yield* outcome(apply(plain("Namespace", "another"))), forbidden)
      assert.strictEqual(yield* outcome(remove({ kind: "Namespace", name: namespaceOf(eve) })), "done")
    }),
  )

  it.effect("change customers' volumes and no others", () =>
    Effect.gen(function* () {
      const { api } = yield* ControlPlane
      const volume = (name: string, claimNamespace: string | undefined): Manifest =>
        plain("PersistentVolume", name, {
          spec: {
            accessModes: ["ReadWriteOnce"],
            capacity: { storage: "1Gi" },
            hostPath: { path: `/nowhere/${name}` },
            persistentVolumeReclaimPolicy: "Retain",
            storageClassName: "none",
            ...(claimNamespace === undefined ? {} : { claimRef: { namespace: claimNamespace, name: "data" } }),
          },
        })
      const erase = (name: string) =>
        Cluster.use((cluster) =>
          cluster.merge({ kind: "PersistentVolume", name }, { spec: { persistentVolumeReclaimPolicy: "Delete" } }),
        )
      for (const [name, claimNamespace, expected] of [
        ["of-platform", "platform", forbidden],
        ["of-nobody", undefined, forbidden],
        ["of-a-customer", "customer-zoe", "done"],
      ] as const) {
        const object = volume(name, claimNamespace)
        yield* api.apply(objectPath(refOf(object)), object)
        assert.strictEqual(yield* outcome(erase(name)), expected, name)
      }
      assert.strictEqual(yield* outcome(remove({ kind: "PersistentVolume", name: "of-a-customer" })), forbidden)
    }),
  )

  it.effect("put the definition of Agent back, and change no other", () =>
    Effect.gen(function* () {
      const plane = yield* ControlPlane
      const { api } = plane
      const other = {
        ...agentCrd,
        metadata: { name: "others.berth.dev" },
        spec: {
          ...(agentCrd.spec as object),
          names: { plural: "others", singular: "other", kind: "Other", listKind: "OtherList" },
        },
      }
      assert.strictEqual(yield* outcome(apply(other)), forbidden)
      assert.strictEqual(yield* outcome(remove(refOf(agentCrd))), forbidden)
      const path = objectPath(refOf(agentCrd))
      yield* api.remove(path)
      yield* api.until(path, (found) => found === undefined)
      assert.strictEqual(yield* outcome(apply(agentCrd)), "done")
      // The kind is served some moments after its definition is stored.
      yield* plane.kubectl(["wait", "--for=condition=Established", "crd/agents.berth.dev", "--timeout=30s"])
      yield* plane
        .kubectl(["get", "agents"])
        .pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 200 }))
    }),
  )

  it.effect(
    "are the only ones to write an Agent's spec: nobody else changes or makes one, though anyone may delete it",
    () =>
      Effect.gen(function* () {
        const { api } = yield* ControlPlane
        const id = CustomerId.make("kim")
        const agent = agentManifest(id, { ...spec, generation: 5 }, { finalized: false })
        const path = objectPath(refOf(agent))
        assert.strictEqual(yield* outcome(apply(agent)), "done")
        const patch = "application/merge-patch+json"
        const raised = yield* api.request("PATCH", path, { spec: { generation: 99 } }, patch)
        assert.deepStrictEqual([raised.status, at(raised.body, "reason")], [403, "Forbidden"])
        assert.include(String(at(raised.body, "message")), "by the operator alone")
        const labelled = yield* api.request("PATCH", path, { metadata: { labels: { seen: "yes" } } }, patch)
        assert.strictEqual(labelled.status, 200)
        const other = agentManifest(CustomerId.make("lea"), spec, { finalized: false })
        const made = yield* api.request("POST", "/apis/berth.dev/v1alpha1/agents", other)
        assert.strictEqual(made.status, 403)
        assert.strictEqual(
          yield* outcome(apply(agentManifest(id, { ...spec, generation: 6 }, { finalized: false }))),
          "done",
        )
        yield* api.remove(path)
        assert.isTrue(Option.isNone(yield* get(refOf(agent))))
      }),
  )

  it.effect("hold no way around: nothing of other people's, no node's own interface, no token, no shell", () =>
    Effect.gen(function* () {
      const plane = yield* ControlPlane
      const operator = yield* plane.kubeconfig(operatorAccount)
      const zed = yield* tenant("zed")
      const may = (verb: string, what: string, where: string, file: string) => {
        const [resource = "", subresource = ""] = what.split("/")
        const flags = [`--subresource=${subresource}`, `--namespace=${where}`, `--kubeconfig=${file}`]
        return plane.kubectl(["auth", "can-i", verb, resource, ...flags]).pipe(
          Effect.map((printed) => printed.trim().startsWith("yes")),
          // It prints "no" and ends with 1.
          Effect.orElseSucceed(() => false),
        )
      }
      const never: ReadonlyArray<readonly [verb: string, resource: string]> = [
        ["list", "secrets"],
        ["watch", "secrets"],
        ["delete", "secrets"],
        ["create", "pods"],
        ["patch", "pods"],
        ["create", "pods/exec"],
        ["create", "pods/attach"],
        ["create", "pods/portforward"],
        ["get", "pods/proxy"],
        ["get", "services/proxy"],
        ["get", "nodes/proxy"],
        ["create", "serviceaccounts/token"],
        ["patch", "nodes"],
        ["delete", "persistentvolumes"],
        ["create", "persistentvolumes"],
        ["delete", "persistentvolumeclaims"],
        ["delete", "networkpolicies.networking.k8s.io"],
        ["delete", "rolebindings.rbac.authorization.k8s.io"],
        ["create", "roles.rbac.authorization.k8s.io"],
        ["patch", "clusterroles.rbac.authorization.k8s.io"],
        ["escalate", "clusterroles.rbac.authorization.k8s.io"],
        ["create", "clusterrolebindings.rbac.authorization.k8s.io"],
        ["patch", "validatingadmissionpolicies.admissionregistration.k8s.io"],
        ["delete", "validatingadmissionpolicybindings.admissionregistration.k8s.io"],
        ["delete", "customresourcedefinitions.apiextensions.k8s.io"],
        ["impersonate", "users"],
        ["impersonate", "serviceaccounts"],
        ["create", "certificatesigningrequests.certificates.k8s.io"],
        ["deletecollection", "namespaces"],
        ["update", "agents.berth.dev"],
      ]
      assert.isTrue(yield* may("get", "secrets", namespaceOf(zed), operator))
      assert.isTrue(yield* may("get", "pods/log", namespaceOf(zed), operator))
      for (const [verb, resource] of never) {
        assert.isFalse(yield* may(verb, resource, namespaceOf(zed), operator), `${verb} ${resource}`)
        assert.isTrue(yield* may(verb, resource, namespaceOf(zed), plane.admin), `${verb} ${resource} as administrator`)
      }
      for (const resource of ["secrets", "configmaps", "deployments.apps", "networkpolicies.networking.k8s.io"])
        assert.isFalse(yield* may("patch", resource, "platform", operator), `patch ${resource} in platform`)
    }),
  )
})
