/**
 * What the memory cluster's one node keeps of its pods' processes beside their state: an address for each pod, what each run
 * wrote into its log, who answers at the address, and what was measured of the volumes. Gone with the pod.
 */
import * as DateTime from "effect/DateTime"
import { at, type Stored } from "../Manifest.ts"
import type { VolumeUsage } from "../Cluster.ts"
import { quantity } from "./Quantity.ts"

export interface PodRequest {
  readonly path: string
  readonly bearer: string | undefined
}
export interface PodAnswer {
  readonly status: number
  readonly body: string
}

/** What a pod's process has of its node. */
export interface PodNode {
  /** Writes a line into its container's log. */
  readonly log: (line: string) => void
  /** Answers GET at the pod's own address from now on, whatever the port. */
  readonly serve: (answer: (request: PodRequest) => PodAnswer) => void
  /** Says how much of its claim's volume is used. */
  readonly use: (bytes: number) => void
}

/** Lines that the node keeps of each run. */
const kept = 2_000

/** The node's own address; documentation's, since there is no node. */
export const nodeIp = "192.0.2.1"

interface Run {
  readonly lines: Array<string>
  answer: ((request: PodRequest) => PodAnswer) | undefined
}

interface Guest {
  readonly pod: Stored
  readonly ip: string
  run: Run | undefined
  previous: Run | undefined
  used: number | undefined
}

export interface Node {
  /** The address that a pod has from now on. */
  readonly settle: (pod: Stored) => string
  /** A run of its process begins; the one before is the previous one. */
  readonly begin: (pod: Stored) => PodNode
  /** Nobody answers for it until it is begun again. */
  readonly end: (pod: Stored) => void
  readonly leave: (pod: Stored) => void
  /** The log of its run or of the one before; undefined if there was none. */
  readonly log: (uid: string, previous: boolean) => ReadonlyArray<string> | undefined
  readonly ask: (ip: string, request: PodRequest) => PodAnswer | undefined
  readonly volumes: (find: (pod: Stored, claim: string) => Stored | undefined) => ReadonlyArray<VolumeUsage>
}

const claimsOf = (pod: Stored): ReadonlyArray<string> => {
  const volumes = at(pod, "spec", "volumes")
  return (Array.isArray(volumes) ? volumes : []).flatMap((volume) => {
    const claim = at(volume, "persistentVolumeClaim", "claimName")
    return typeof claim === "string" ? [claim] : []
  })
}

/** `now` in epoch ms. */
export const make = (now: () => number): Node => {
  const guests = new Map<string, Guest>()
  let addresses = 0
  const guestOf = (pod: Stored): Guest => {
    const known = guests.get(pod.metadata.uid)
    if (known !== undefined) return known
    addresses += 1
    const ip = `10.244.${Math.floor(addresses / 250) % 250}.${(addresses % 250) + 2}`
    const guest: Guest = { pod, ip, run: undefined, previous: undefined, used: undefined }
    guests.set(pod.metadata.uid, guest)
    return guest
  }
  return {
    settle: (pod) => guestOf(pod).ip,
    begin: (pod) => {
      const guest = guestOf(pod)
      const run: Run = { lines: [], answer: undefined }
      guest.previous = guest.run
      guest.run = run
      return {
        log: (line) => {
          const time = DateTime.formatIso(DateTime.makeUnsafe(now())).replace("Z", "000000Z")
          for (const one of line.split("\n")) run.lines.push(`${time} ${one}`)
          if (run.lines.length > kept) run.lines.splice(0, run.lines.length - kept)
        },
        serve: (answer) => {
          run.answer = answer
        },
        use: (bytes) => {
          guest.used = bytes
        },
      }
    },
    end: (pod) => {
      const run = guests.get(pod.metadata.uid)?.run
      if (run !== undefined) run.answer = undefined
    },
    leave: (pod) => void guests.delete(pod.metadata.uid),
    log: (uid, previous) => {
      const guest = guests.get(uid)
      return (previous ? guest?.previous : guest?.run)?.lines
    },
    ask: (ip, request) => [...guests.values()].find((guest) => guest.ip === ip)?.run?.answer?.(request),
    volumes: (find) =>
      [...guests.values()].flatMap(({ pod, used }) =>
        claimsOf(pod).flatMap((claim) => {
          const capacity = quantity(at(find(pod, claim), "spec", "resources", "requests", "storage"))
          return used === undefined || Number.isNaN(capacity)
            ? []
            : [{ namespace: pod.metadata.namespace ?? "", claim, used, capacity }]
        }),
      ),
  }
}
