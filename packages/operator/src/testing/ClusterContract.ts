/**
 * What every Cluster promises: the memory cluster and a real kube-apiserver alike. Runs in real time and in namespaces of
 * its own, so that one server can serve all tests; what a server does by and by is waited for.
 */
import { describe } from "@effect/vitest"
import type * as Layer from "effect/Layer"
import type { Cluster } from "../Cluster.ts"
import { agents } from "./ClusterContract/Agents.ts"
import { applying } from "./ClusterContract/Applying.ts"
import { deleting } from "./ClusterContract/Deleting.ts"
import { logs } from "./ClusterContract/Logs.ts"
import { refusing } from "./ClusterContract/Refusing.ts"
import { type ContractOptions, stageOn } from "./ClusterContract/Stage.ts"
import { volumes } from "./ClusterContract/Volumes.ts"
import { watching } from "./ClusterContract/Watching.ts"
import { workloads } from "./ClusterContract/Workloads.ts"

export const clusterContract = (name: string, layer: Layer.Layer<Cluster, unknown>, options: ContractOptions) =>
  describe(`Cluster on ${name}`, () => {
    const stage = stageOn(layer, options)
    for (const part of [applying, refusing, deleting, watching, agents, workloads, volumes, logs]) part(stage)
  })
