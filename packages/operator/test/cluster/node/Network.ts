/**
 * The node's network: a namespace of its own with one link to this machine, so that tests reach the node, its pods and its
 * Services, and one link to a second namespace that plays the internet. Nothing of it reaches a real network. Pure.
 */
import {
  hostAddress,
  networkFile,
  nodeAddress,
  nodeNetwork,
  nodeOutsideAddress,
  outsideAddress,
  outsideLink,
  outsideNetwork,
  outsideRanges,
  pods,
  services,
} from "./Addresses.ts"

export type Command = ReadonlyArray<string>

const ip = (line: string): Command => ["ip", ...line.split(" ")]
const inNode = (line: string) => ip(`-n ${nodeNetwork} ${line}`)
const inOutside = (line: string) => ip(`-n ${outsideNetwork} ${line}`)
const entered = (line: string): Command => ["nsenter", `--net=${networkFile(nodeNetwork)}`, ...line.split(" ")]
const hostLink = "berth-host"

/** In order; each must succeed. */
export const networkUp: ReadonlyArray<Command> = [
  ip(`netns add ${nodeNetwork}`),
  ip(`netns add ${outsideNetwork}`),
  ip(`link add ${hostLink} type veth peer name eth0 netns ${nodeNetwork}`),
  ip(`addr add ${hostAddress}/24 dev ${hostLink}`),
  ip(`link set ${hostLink} up`),
  inNode("link set lo up"),
  inNode(`addr add ${nodeAddress}/24 dev eth0`),
  inNode("link set eth0 up"),
  inNode(`link add eth1 type veth peer name eth0 netns ${outsideNetwork}`),
  inNode(`addr add ${nodeOutsideAddress}/30 dev eth1`),
  inNode("link set eth1 up"),
  inOutside("link set lo up"),
  inOutside(`addr add ${outsideAddress}/30 dev eth0`),
  inOutside("link set eth0 up"),
  inOutside(`route add default via ${nodeOutsideAddress}`),
  inNode(`route add default via ${outsideAddress}`),
  ...outsideRanges.map((range) => inOutside(`route add local ${range} dev lo`)),
  // So that this machine reaches Services and pods, and answers to what runs outside. It gets no route to what the outside
  // plays: one of those addresses may be somebody to this machine.
  ...[services, pods, outsideLink].map((range) => ip(`route add ${range} via ${nodeAddress}`)),
  // Packets between pods of one node cross a bridge, where the policies must see them.
  entered("sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1"),
]

/** What a reboot leaves of the pods' network: nothing. Tables come first, for they name the sets. */
export const networkLost: ReadonlyArray<Command> = [
  ...["filter", "nat", "mangle"]
    .flatMap((table) => [`iptables -t ${table} -F`, `iptables -t ${table} -X`])
    .map(entered),
  entered("ipset destroy"),
  inNode("link del cni0"),
]

/** In order; whatever of it is not there is passed over. Routes go with their link. */
export const networkDown: ReadonlyArray<Command> = [
  ip(`netns del ${nodeNetwork}`),
  ip(`netns del ${outsideNetwork}`),
  ip(`link del ${hostLink}`),
]
