/**
 * What a process in a customer's pod may do to the machine it runs on: nothing. Each refusal with what works where it is
 * allowed, so that it is the pod's own walls that refuse. Pure.
 */
import { containerdSocket } from "../cluster/node/Addresses.ts"
import type { Attempt, PodRef } from "../platform/Probe.ts"
import * as Places from "./Places.ts"

export interface PodRule {
  readonly name: string
  readonly refused: ReadonlyArray<Attempt>
  /** The refusal must be the kernel's (EPERM, EACCES): what is asked makes no sense, and would fail anyway. */
  readonly byTheKernel?: true
  /** Not refused to the control. Missing are those that not every machine has. */
  readonly control: ReadonlyArray<Attempt>
  /** Who that is, if not the privileged pod. */
  readonly controlFrom?: PodRef
  /** What the same pod may do, next to it. */
  readonly allowed: ReadonlyArray<Attempt>
}

const call = (name: string): Attempt => ({ kind: "syscall", name })
const socket = (name: string): Attempt => ({ kind: "socket", name })
const write = (name: string): Attempt => ({ kind: "write", name })
const read = (name: string): Attempt => ({ kind: "read", name })

const raw = ["raw icmp", "raw tcp", "packet", "packet udp"].map(socket)
const privileges = ["setuid 0", "setgid 0", "chroot", "sethostname", "mknod", "nice below zero"].map(call)
const kernel = ["mount", "remount root", "unshare net", "unshare mount", "unshare user", "pivot_root"].map(call)
const doors = ["init_module", "bpf", "perf_event_open", "set clock", "swapoff", "reboot", "add_key", "userfaultfd"].map(
  call,
)
const roots = ["/x", "/etc/x", "/usr/bin/x", "/app/x", "/var/x", "/run/x"].map(write)
const settings = ["/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/vm/overcommit_memory"].map(
  write,
)
const ofTheNode = [
  "/dev/kmsg",
  containerdSocket,
  "/var/lib/kubelet",
  "/var/run/secrets/kubernetes.io/serviceaccount/token",
].map(read)

export const podRules: ReadonlyArray<PodRule> = [
  {
    name: "raw and packet sockets are refused, so nothing can be forged or overheard",
    refused: raw,
    control: raw,
    allowed: [socket("tcp")],
  },
  {
    name: "no privilege can be gained: no other user, no other root, no device, no name",
    refused: privileges,
    byTheKernel: true,
    control: privileges,
    allowed: [],
  },
  {
    name: "nothing can be mounted and no namespace made",
    refused: kernel,
    byTheKernel: true,
    control: kernel,
    allowed: [],
  },
  {
    name: "the kernel's own doors are shut: modules, BPF, tracing, clock, swap, reboot, keys",
    refused: doors,
    byTheKernel: true,
    control: doors,
    allowed: [],
  },
  {
    name: "no process but the pod's own is seen",
    refused: [call("kill a stranger")],
    control: [call("kill a stranger")],
    controlFrom: Places.onlooker,
    allowed: [],
  },
  {
    name: "the root file system can't be written, the agent's own folders can",
    refused: [...roots, ...["/config/x", "/config/openclaw.json"].map(write)],
    control: roots,
    // allow(path): it stands in the pod
    allowed: [write("/data/x"), write("/tmp/x")],
  },
  {
    name: "nothing of the node is in the pod: no disk, no memory, no socket of its daemons, no token",
    refused: [...ofTheNode, ...["/dev/vda", "/dev/sda", "/dev/mem", "/proc/kcore", "/proc/sysrq-trigger"].map(read)],
    control: ofTheNode,
    allowed: [read("/config/openclaw.json"), read("/dev/urandom")],
  },
  {
    name: "the kernel's settings can't be changed",
    refused: [...settings, ...["/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"].map(write)],
    control: settings,
    allowed: [],
  },
]
