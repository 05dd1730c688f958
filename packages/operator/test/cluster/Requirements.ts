/** What a machine must have for a tier, and the one line that says what it lacks. */
import { onPath } from "@berth/domain/testing/OnPath"
import { existsSync } from "node:fs"
import * as Effect from "effect/Effect"
import { ClusterFailed } from "./Failure.ts"

export type Tier = "k8s" | "node"

interface Requirement {
  /** Debian's package, or what else gives it. */
  readonly from: string
  readonly there: () => boolean
}

const program = (from: string, ...names: ReadonlyArray<string>): Requirement => ({
  from,
  there: () => names.every((name) => onPath(name) !== undefined),
})

const cheap: ReadonlyArray<Requirement> = [
  program("Go 1.26 (https://go.dev/dl)", "go"),
  program("openssl", "openssl"),
  program("util-linux", "flock"),
]

const real: ReadonlyArray<Requirement> = [
  ...cheap,
  program("containerd", "containerd", "ctr"),
  program("runc", "runc"),
  { from: "containernetworking-plugins", there: () => existsSync("/usr/lib/cni/bridge") },
  program("iptables", "iptables", "iptables-restore"),
  program("ipset", "ipset"),
  program("conntrack", "conntrack"),
  program("iproute2", "ip"),
  program("util-linux", "nsenter"),
]

/** One line, or undefined if nothing is missing. */
export const missing = (tier: Tier): string | undefined => {
  if (process.platform !== "linux") return `The ${tier} tier needs Linux.`
  if (tier === "node" && process.getuid?.() !== 0)
    return "The node tier needs root: it makes network namespaces and runs containers."
  const lacking = [...new Set((tier === "k8s" ? cheap : real).filter(({ there }) => !there()).map(({ from }) => from))]
  return lacking.length === 0 ? undefined : `The ${tier} tier needs ${lacking.join(", ")}.`
}

/** Fails with that line. */
export const satisfy = (tier: Tier): Effect.Effect<void, ClusterFailed> =>
  Effect.suspend(() => {
    const message = missing(tier)
    return message === undefined ? Effect.void : Effect.fail(new ClusterFailed({ message }))
  })
