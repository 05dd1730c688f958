/** Every address and name of the real node. Fixed: there is one such node on a machine at a time. */

/** Holds what the node has to itself: sockets, the state of containers. Short, and gone after a reboot as on any node. */
export const runtimeFolder = "/run/berth-k8s"
export const containerdSocket = `${runtimeFolder}/containerd.sock`

export const nodeName = "node1"
/** The cgroup that all pods are in. */
export const cgroup = "berth-k8s"

/** Network namespaces: the node's, and that of everything which is not the cluster. */
export const nodeNetwork = "berth-k8s"
export const outsideNetwork = "berth-outside"
export const networkFile = (name: string) => `/run/netns/${name}`

/** The machine that the tests run on, as the node sees it. */
export const hostAddress = "10.200.0.1"
export const nodeAddress = "10.200.0.2"
export const apiserverPort = 6443
/** The node's address on the link to the outside, and the outside's. */
export const nodeOutsideAddress = "10.201.0.1"
export const outsideAddress = "10.201.0.2"
export const outsideLink = "10.201.0.0/30"

export const services = "10.96.0.0/16"
export const firstService = "10.96.0.1"
export const dnsService = "10.96.0.10"
export const pods = "10.244.0.0/16"
export const nodePods = "10.244.0.0/24"

/** A public address of the outside, from the range for documentation. */
export const publicAddress = "203.0.113.10"

/**
 * What the outside answers for: public addresses, and addresses that no pod may reach, so that each refusal has its control.
 * Every packet that is for none of the cluster's own addresses goes there and no further.
 */
export const outsideRanges = [
  "203.0.113.0/24",
  "198.51.100.0/24",
  "169.254.169.254/32",
  "10.77.0.0/16",
  "172.20.0.0/16",
  "192.168.77.0/24",
  "100.64.77.0/24",
] as const
