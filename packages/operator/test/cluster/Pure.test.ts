/** The parts of the test cluster that decide something without doing anything. */
import { assert, describe, it } from "@effect/vitest"
import { parseArguments } from "./Arguments.ts"
import { planeCommands, planeComponents } from "./ControlPlaneComponents.ts"
import { fakeNode, stages } from "./FakeNodes.ts"
import { keyOf } from "./Key.ts"
import { kubeconfig } from "./Kubeconfig.ts"
import { containerdSocket, nodeNetwork, outsideRanges, pods, services } from "./node/Addresses.ts"
import { containerdConfiguration, kubeletConfiguration } from "./node/Configuration.ts"
import { hostsFile } from "./node/Dns.ts"
import { networkUp } from "./node/Network.ts"
import { cgroups, mountsBelow } from "./node/Remains.ts"
import { merge } from "./Report.ts"

const plane = {
  folder: "/state/x",
  hyper: "/cache/hyper",
  port: 20_443,
  bind: "127.0.0.1",
  address: "127.0.0.1",
  services: "10.96.0.0/16",
  pods: "10.244.0.0/16",
  realNodes: false,
}

describe("the key of a build", () => {
  const ingredients = {
    compiler: "go1.26 amd64",
    command: ["build"],
    sources: [
      ["a.go", "one"],
      ["b.go", "two"],
    ] as const,
  }
  const key = keyOf(ingredients)

  it("is the same whatever the order of the sources", () => {
    assert.match(key, /^[0-9a-f]{16}$/)
    assert.strictEqual(keyOf({ ...ingredients, sources: ingredients.sources.toReversed() }), key)
  })

  it.each([
    [
      "a source's text",
      {
        sources: [
          ["a.go", "one"],
          ["b.go", "three"],
        ] as const,
      },
    ],
    [
      "a source's name",
      {
        sources: [
          ["a.go", "one"],
          ["c.go", "two"],
        ] as const,
      },
    ],
    [
      "a line moved from one source to another",
      {
        sources: [
          ["a.go", "onetwo"],
          ["b.go", ""],
        ] as const,
      },
    ],
    ["the compiler", { compiler: "go1.27 amd64" }],
    ["how it is called", { command: ["build", "-race"] }],
  ])("changes with %s", (_, change) => {
    assert.notStrictEqual(keyOf({ ...ingredients, ...change }), key)
  })
})

describe("the command line", () => {
  it("takes both tiers, unless one is named", () => {
    assert.deepStrictEqual(parseArguments([]).tiers, ["k8s", "node"])
    assert.deepStrictEqual(parseArguments(["--tier", "node"]).tiers, ["node"])
    assert.deepStrictEqual(parseArguments(["--tier=k8s", "--tier=k8s"]).tiers, ["k8s"])
  })

  it("takes the tiers of the files that are named", () => {
    assert.deepStrictEqual(parseArguments(["test/a.k8s.test.ts"]).tiers, ["k8s"])
    assert.deepStrictEqual(parseArguments(["test/a.node.test.ts", "test/b.k8s.test.ts"]).tiers, ["k8s", "node"])
    assert.deepStrictEqual(parseArguments(["test/a.k8s.test.ts", "isolation"]).tiers, ["k8s", "node"])
  })

  it("says what it does not understand", () => {
    assert.strictEqual(parseArguments(["--tier", "moon"]).bad, "--tier moon")
    assert.strictEqual(parseArguments(["--frobnicate"]).bad, "--frobnicate")
    assert.strictEqual(parseArguments(["--report"]).bad, "--report")
    assert.strictEqual(parseArguments(["-t", "a name", "--json", "--report", "x.json", "file"]).bad, undefined)
  })
})

describe("a control plane", () => {
  const commands = planeCommands(plane)

  it("says how to start each component that it has", () => {
    assert.sameMembers(Object.keys(commands), [...planeComponents])
    for (const [name, { args, command }] of Object.entries(commands)) {
      assert.strictEqual(command, "/cache/hyper")
      assert.strictEqual(args[0], name)
    }
  })

  it("takes one port alone, so that several stand side by side", () => {
    const ports = Object.values(commands)
      .flatMap(({ args }) => args)
      .filter((arg) => /port=[1-9]|:\d{4,5}$/.test(arg))
    assert.deepStrictEqual(ports, ["--secure-port=20443"])
  })

  it("lets nobody in without credentials or rights", () => {
    assert.includeMembers(
      [...commands["kube-apiserver"].args],
      ["--anonymous-auth=false", "--authorization-mode=Node,RBAC"],
    )
  })

  it("runs in a network of its own if it has one", () => {
    const network = "/run/netns/x"
    assert.isTrue(Object.values(planeCommands({ ...plane, network })).every((one) => one.network === network))
    assert.isTrue(Object.values(commands).every((one) => one.network === undefined))
  })

  it("gives a client all that it needs in one file", () => {
    const { clusters, users } = JSON.parse(kubeconfig("https://x", "CA", "ada", { certificate: "C", key: "K" }))
    assert.strictEqual(Buffer.from(clusters[0].cluster["certificate-authority-data"], "base64").toString(), "CA")
    assert.deepStrictEqual(Object.keys(users[0].user), ["client-certificate-data", "client-key-data"])
    assert.deepStrictEqual(JSON.parse(kubeconfig("https://x", "CA", "ada", { token: "T" })).users[0].user, {
      token: "T",
    })
  })
})

describe("fake nodes", () => {
  const names = (text: string) => text.split("\n---\n").map((one) => JSON.parse(one).metadata.name)

  it("have room for hundreds of agents", () => {
    const { allocatable } = fakeNode("one").status
    assert.isAtLeast(Number(allocatable.pods), 500)
    assert.isAtLeast(Number(allocatable.cpu), 50)
  })

  it("leave Jobs running if a test is to end them", () => {
    assert.include(names(stages({ jobs: "complete", startMillis: 0 })), "pod-ended")
    assert.notInclude(names(stages({ jobs: "run", startMillis: 0 })), "pod-ended")
  })
})

describe("a real node", () => {
  it("answers outside for addresses that are none of the cluster's own", () => {
    for (const range of outsideRanges) {
      const [first] = range.split("/")
      for (const own of [pods, services, "10.200.0.0/16", "10.201.0.0/16"])
        assert.isFalse(first?.startsWith(own.split(".").slice(0, 2).join(".").concat(".")), range)
    }
  })

  it("sends what is for no address of its own to the outside, and to no real network", () => {
    const defaults = networkUp.map((command) => command.join(" ")).filter((line) => line.includes("default"))
    assert.deepStrictEqual(
      defaults.map((line) => line.split(" via ")[0]),
      ["ip -n berth-outside route add default", `ip -n ${nodeNetwork} route add default`],
    )
  })

  it("leaves this machine's own routes to the world as they are", () => {
    const routes = networkUp.map((command) => command.join(" ")).filter((line) => line.startsWith("ip route add "))
    assert.deepStrictEqual(
      routes.map((line) => line.split(" ")[3]),
      [services, pods, "10.201.0.0/30"],
    )
  })

  it("is configured for one socket and one folder", () => {
    const kubelet = JSON.parse(kubeletConfiguration("/state/x"))
    assert.strictEqual(kubelet.containerRuntimeEndpoint, `unix://${containerdSocket}`)
    assert.isFalse(kubelet.authentication.anonymous.enabled)
    assert.include(containerdConfiguration("/state/x", "pause:1"), `sandbox_image = "pause:1"`)
  })

  it("finds its mounts and cgroups among the machine's", () => {
    const mounts = [
      "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0",
      "cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0",
      "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0",
      "tmpfs /state/x/kubelet/a tmpfs rw 0 0",
      "tmpfs /state/xy/kubelet/a tmpfs rw 0 0",
      "overlay /state/x/kubelet/a/b overlay rw 0 0",
    ].join("\n")
    assert.deepStrictEqual(cgroups(mounts, "cgroup"), ["/sys/fs/cgroup/cpu/berth-k8s", "/sys/fs/cgroup/pids/berth-k8s"])
    assert.deepStrictEqual(cgroups(mounts, "cgroup2"), ["/sys/fs/cgroup/unified/berth-k8s"])
    assert.deepStrictEqual(mountsBelow(mounts, ["/state/x"]), ["/state/x/kubelet/a/b", "/state/x/kubelet/a"])
  })

  it("tells CoreDNS names of the outside", () => {
    assert.strictEqual(hostsFile({ "api.telegram.org": "203.0.113.10" }), "203.0.113.10 api.telegram.org\n")
  })
})

it("reports of several tiers are counted together", () => {
  const report = (passed: number, failed: number) => ({
    numTotalTests: passed + failed,
    numPassedTests: passed,
    numFailedTests: failed,
    testResults: [passed],
  })
  assert.deepStrictEqual(merge([report(3, 1), report(5, 0)]), {
    numTotalTests: 9,
    numPassedTests: 8,
    numFailedTests: 1,
    testResults: [3, 5],
  })
})
