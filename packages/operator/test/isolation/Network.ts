/** Every rule about the network, one test a rule; and what no policy can refuse, so that nobody claims it. */
import { assert, type Vitest } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Components from "../cluster/Components.ts"
import { probeBinary } from "../cluster/images/Static.ts"
import * as Addresses from "../cluster/node/Addresses.ts"
import { inNetwork } from "./InNetwork.ts"
import { attempt } from "../platform/Probe.ts"
import { judge } from "./Judge.ts"
import { rules } from "./Rules.ts"
import { Stage } from "./Stage.ts"

/** In the range of NodePorts, which kube-router lets everybody reach on the node. */
const nodePort = `${Addresses.nodeAddress}:30500`
/** As docs/isolation.md asks of the nodes' firewall. */
const firewall = (action: "-I" | "-D") =>
  `iptables ${action} INPUT -s ${Addresses.pods} -p tcp --dport 30000:32767 -j DROP`.split(" ")

export const networkTests = (it: Vitest.MethodsNonLive<Stage>) => {
  for (const rule of rules)
    it.effect(rule.name, () =>
      Effect.gen(function* () {
        const { node, world } = yield* Stage
        assert.deepStrictEqual(yield* judge(node, world, rule), [])
      }),
    )

  it.effect("the node's ports 30000 to 32767 are left to the node's firewall, which shuts them", () =>
    Effect.gen(function* () {
      const { node, world } = yield* Stage
      const command = yield* probeBinary
      const args = ["serve", JSON.stringify({ name: "node port", tcp: [nodePort], udp: [] })]
      const network = Addresses.networkFile(Addresses.nodeNetwork)
      Components.define(node.folder, "node-port", { command, args, network })
      yield* Effect.acquireRelease(
        Effect.sync(() => Components.start(node.folder, "node-port")),
        () => Effect.sync(() => Components.kill(node.folder, "node-port")),
      )
      const reach = Effect.map(attempt(node, world.inside, [{ kind: "tcp", address: nodePort }]), ([one]) => one)
      assert.isTrue((yield* reach)?.worked)
      yield* Effect.acquireRelease(inNetwork(Addresses.nodeNetwork, firewall("-I")), () =>
        Effect.orDie(inNetwork(Addresses.nodeNetwork, firewall("-D"))),
      )
      assert.isFalse((yield* reach)?.worked)
    }).pipe(Effect.scoped),
  )
}
