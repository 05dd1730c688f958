/** The cluster that a run of the tests set up for all files of its tier, as a test sees it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inject } from "vitest"
import { ControlPlane } from "./ControlPlane.ts"
import { RealNode } from "./RealNode.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** Of the cluster that the tier's global setup started. */
    readonly clusterFolder: string
  }
}

/**
 * One control plane for all `*.k8s.test.ts`: cheap, and for tests that keep to names of their own. A test that kills parts
 * of it or runs an operator, which takes every Agent of its cluster for its own, makes itself a `ControlPlane.layer()`.
 */
export const sharedPlane = Layer.effect(
  ControlPlane,
  Effect.suspend(() => ControlPlane.at(inject("clusterFolder"))),
)

/** The machine's one node, for all `*.node.test.ts`. A test leaves every component running and the node Ready. */
export const realNode = Layer.effect(
  RealNode,
  Effect.suspend(() => RealNode.at(inject("clusterFolder"))),
)
