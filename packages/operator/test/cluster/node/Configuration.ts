/** What containerd, the kubelet, CNI and CoreDNS read. Pure. */
import { join } from "node:path"
import {
  cgroup,
  containerdSocket,
  dnsService,
  networkFile,
  nodeAddress,
  nodeName,
  nodeNetwork,
  nodePods,
  pods,
  runtimeFolder,
  services,
} from "./Addresses.ts"
import type { Component } from "../Components.ts"
import { kubeconfigOf } from "../ControlPlaneComponents.ts"

export const containerdFile = (folder: string) => join(folder, "containerd.toml")
export const kubeletFile = (folder: string) => join(folder, "kubelet.json")
export const cniFolder = (folder: string) => join(folder, "cni")

export const containerdConfiguration = (folder: string, pause: string): string => `version = 2
root = "${join(folder, "containerd")}"
state = "${runtimeFolder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
address = "${containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${pause}"
netns_mounts_under_state_dir = true
disable_apparmor = true
# A machine without CAP_SYS_RESOURCE may not lower the score, and runc would die of it.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${cniFolder(folder)}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
`

export const cniConfiguration = (folder: string): string =>
  JSON.stringify({
    cniVersion: "0.4.0",
    name: "berth-k8s",
    plugins: [
      {
        type: "bridge",
        bridge: "cni0",
        isGateway: true,
        ipMasq: true,
        hairpinMode: true,
        ipam: {
          type: "host-local",
          dataDir: join(folder, "addresses"),
          ranges: [[{ subnet: nodePods }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
      { type: "portmap", capabilities: { portMappings: true } },
      // The policy controller knows IPv4 alone: by their link-local addresses pods would reach each other past it.
      { type: "tuning", sysctl: { "net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1" } },
    ],
  })

export const kubeletConfiguration = (folder: string): string => {
  const pki = (name: string) => join(folder, "pki", name)
  return JSON.stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    failCgroupV1: false,
    failSwapOn: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${cgroup}`,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki("ca.crt") },
    },
    authorization: { mode: "Webhook" },
    tlsCertFile: pki("kubelet.crt"),
    tlsPrivateKeyFile: pki("kubelet.key"),
    clusterDNS: [dnsService],
    clusterDomain: "cluster.local",
    resolvConf: join(folder, "resolv.conf"),
    enforceNodeAllocatable: ["pods"],
    evictionHard: { "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%" },
    // Images come from files: one that was collected would not come back.
    imageGCHighThresholdPercent: 100,
    imageMaximumGCAge: "0s",
    nodeStatusUpdateFrequency: "4s",
    // How full volumes are is looked up once a minute unless told otherwise.
    volumeStatsAggPeriod: "5s",
    // A node without it lets one pod take every process id there is.
    podPidsLimit: 1_024,
    volumePluginDir: join(folder, "volume-plugins"),
    podLogsDir: join(folder, "pod-logs"),
  })
}

/** The node's own components, besides those of the control plane. */
export const nodeComponents = ["containerd", "kubelet", "kube-proxy", "policies"] as const

export const nodeCommands = (
  folder: string,
  hyper: string,
): Readonly<Record<(typeof nodeComponents)[number], Component>> => {
  const network = networkFile(nodeNetwork)
  return {
    containerd: { command: "containerd", args: ["--config", containerdFile(folder)], network },
    kubelet: {
      command: hyper,
      args: [
        "kubelet",
        `--config=${kubeletFile(folder)}`,
        `--kubeconfig=${kubeconfigOf(folder, "kubelet")}`,
        `--hostname-override=${nodeName}`,
        `--node-ip=${nodeAddress}`,
        `--root-dir=${join(folder, "kubelet")}`,
        `--cert-dir=${join(folder, "kubelet", "pki")}`,
      ],
      network,
    },
    "kube-proxy": {
      command: hyper,
      args: [
        "kube-proxy",
        `--kubeconfig=${kubeconfigOf(folder, "kube-proxy")}`,
        `--hostname-override=${nodeName}`,
        `--cluster-cidr=${pods}`,
        "--proxy-mode=iptables",
        // Only root of the whole machine may set these.
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0s",
        "--conntrack-tcp-timeout-close-wait=0s",
      ],
      network,
    },
    policies: {
      command: hyper,
      args: [
        "policies",
        `--kubeconfig=${kubeconfigOf(folder, "admin")}`,
        `--node=${nodeName}`,
        `--service-cidr=${services}`,
      ],
      network,
    },
  }
}
