/** An agent that runs wild harms nobody but itself, and is there again afterwards. */
import { assert, type Vitest } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { attempt, inside } from "../platform/Probe.ts"
import { isReady } from "../cluster/ControlPlane.ts"
import { nodeName } from "../cluster/node/Addresses.ts"
import * as Places from "./Places.ts"
import { Stage } from "./Stage.ts"

export const harmTests = (it: Vitest.MethodsNonLive<Stage>) => {
  /** Asks the neighbour's agent again and again while something goes on; how long each answer took. */
  const beside = <A, E, R>(harm: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const asking = world.neighbour.map(
        (address) => ({ kind: "http", address: `${address}/healthz`, millis: 5_000 }) as const,
      )
      const answers: Array<boolean> = []
      const watch = yield* Effect.forkChild(
        Effect.forever(
          Effect.gen(function* () {
            const outcomes = yield* attempt(node, Places.asOperator, asking)
            answers.push(...outcomes.map(({ how, worked }) => worked && how.startsWith("200")))
          }),
        ),
      )
      const result = yield* harm
      yield* Effect.sleep("1 second")
      yield* Fiber.interrupt(watch)
      assert.isAbove(answers.length, 0)
      assert.isTrue(answers.every(Boolean), `the neighbour was away: ${answers}`)
      assert.isTrue(isReady(yield* node.api.get(`/api/v1/nodes/${nodeName}`)))
      return result
    })

  const again = Effect.gen(function* () {
    const { ada, node } = yield* Stage
    yield* node.api.until(
      `/apis/apps/v1/namespaces/${ada.namespace}/deployments/openclaw`,
      (deployment) => deployment?.status?.availableReplicas === 1,
      120,
    )
  })

  it.effect("a fork bomb gets no further than the pod's own share of processes", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const few = JSON.parse(yield* inside(node, world.inside, [world.inside.probe, "fork", "20"]))
      assert.deepStrictEqual(few, { started: 20, refused: "" })
      const many = JSON.parse(yield* beside(inside(node, world.inside, [world.inside.probe, "fork", "5000"])))
      assert.strictEqual(many.refused, "EAGAIN")
      assert.isBelow(many.started, 1_024)
      yield* again
    }),
  )

  it.effect("a memory hog is killed at its own limit", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      assert.include(yield* inside(node, world.inside, [world.inside.probe, "eat", "300"]), '"eaten":300')
      const killed = yield* beside(Effect.flip(inside(node, world.inside, [world.inside.probe, "eat", "4000"])))
      assert.match(killed.message, /exit code 137|terminated/)
      yield* again
    }),
  )

  it.effect("an agent that fills its temporary folder loses its pod, and is there again with an empty one", () =>
    Effect.gen(function* () {
      const { ada, node, world } = yield* Stage
      const pods = `/api/v1/namespaces/${ada.namespace}/pods?labelSelector=app.kubernetes.io%2Fname%3Dopenclaw`
      const before = (yield* node.api.get(pods)).items.map((pod: any) => pod.metadata.name)
      yield* beside(
        Effect.gen(function* () {
          yield* Effect.ignore(inside(node, world.inside, [world.inside.probe, "fill", "/tmp=400"]))
          yield* node.api.until(
            pods,
            (list) => list.items.some((pod: any) => !before.includes(pod.metadata.name) && isReady(pod)),
            180,
          )
        }),
      )
      assert.notInclude(yield* inside(node, world.inside, ["ls", "/tmp"]), "filler")
      yield* again
    }),
  )
}
