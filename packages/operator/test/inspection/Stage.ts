/**
 * The stage for looks at an agent: the real OpenClaw on a real node, in a namespace that the operator made as a pod with its
 * own rights. Its volume has a size of its own, and Telegram is a server of this machine.
 */
import { spawnSync } from "node:child_process"
import { statfsSync } from "node:fs"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { published } from "../../../../scripts/e2e-cluster/Published.ts"
import * as InspectionServer from "../../src/InspectionServer.ts"
import { berthImage } from "../cluster/images/Berth.ts"
import { openClawImage } from "../cluster/images/OpenClaw.ts"
import * as Addresses from "../cluster/node/Addresses.ts"
import { RealNode } from "../cluster/RealNode.ts"
import { realNode } from "../cluster/Shared.ts"
import * as Platform from "../platform/Platform.ts"
import * as Objects from "../platform/PlatformObjects.ts"
import { hostRelay } from "../platform/Relay.ts"
import { tenant } from "../platform/Tenants.ts"
import { bot } from "./Bot.ts"

const service = "operator-asked"

const make = Effect.gen(function* () {
  const node = yield* RealNode
  const { api } = node
  const [berth, openclaw] = yield* Effect.all([berthImage, openClawImage])
  for (const { tar } of [berth, openclaw]) yield* node.importImage(tar)

  const nora = tenant("nora")
  const telegram = yield* bot(nora.secrets.botToken)
  const { port } = yield* hostRelay(Addresses.hostAddress, telegram.port)
  const listen = `${Addresses.publicAddress}:443`
  yield* published(node.folder, "telegram", listen, port)

  const platform = yield* Platform.make(node, Addresses.hostAddress)
  const operator = {
    image: berth.ref,
    openclaw: openclaw.ref,
    env: { TELEGRAM_API_ROOT: `http://${listen}`, STORAGE_CLASS: "sized", HEALTH_INTERVAL: "5 seconds" },
  }
  yield* platform.operator(operator)

  yield* platform.apply([
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: service, namespace: Objects.platform },
      spec: {
        selector: { "app.kubernetes.io/name": "operator", ...Objects.partOf },
        ports: [{ port: InspectionServer.listens.port }],
      },
    },
  ])
  const asked = yield* api.get(`/api/v1/namespaces/${Objects.platform}/services/${service}`)
  const origin = `http://${asked.spec.clusterIP}:${InspectionServer.listens.port}`
  const ask = (path: string, bearer = platform.operatorToken) =>
    Effect.tryPromise(async () => {
      const answer = await fetch(`${origin}${path}`, { headers: { authorization: `Bearer ${bearer}` } })
      const text = await answer.text()
      return { status: answer.status, text, body: text === "" ? undefined : JSON.parse(text) }
    }).pipe(
      // The node learns some moments later than the API who is behind a Service.
      Effect.retry({ schedule: Schedule.spaced("1 second"), times: 20 }),
    )

  const agentPath = (customerId: string) => `/apis/berth.dev/v1alpha1/agents/${customerId}`
  /** Waits until the Agent has a condition so, while it is active. */
  const tells = (customerId: string, type: string, status: "True" | "False", seconds: number) =>
    Effect.map(
      api.until(
        agentPath(customerId),
        (agent) => (agent?.status?.conditions ?? []).some((one: any) => one.type === type && one.status === status),
        seconds,
      ),
      ({ status: { conditions, phase } }) => ({ phase, ...conditions.find((one: any) => one.type === type) }),
    )
  const inAgent = (...command: ReadonlyArray<string>) =>
    node.kubectl(["exec", `--namespace=${nora.namespace}`, "deploy/openclaw", "--container=openclaw", "--", ...command])

  yield* platform.order(nora, { generation: 1 })
  yield* platform.reaches(nora, "active", 1, 180)

  return { node, platform, operator, nora, telegram, ask, tells, inAgent, agentPath }
})

const mebibyte = 1_024 * 1_024

/**
 * Leaves the agent's volume so much room beside what the agent has on it: filling the 5 GiB of its claim would take long.
 * Gives its new capacity and what is used of it.
 */
export const shrink = (folder: string, roomMebibytes: number) =>
  Effect.sync(() => {
    const { bfree, blocks, bsize } = statfsSync(folder)
    const used = (blocks - bfree) * bsize
    const capacity = used + roomMebibytes * mebibyte
    const { status, stderr } = spawnSync("mount", ["-o", `remount,size=${capacity}`, folder], { encoding: "utf8" })
    if (status !== 0) throw new Error(stderr)
    return { capacity, used }
  })

export class Stage extends Context.Service<Stage, Effect.Success<typeof make>>()("@berth/operator/test/Inspected") {
  static readonly layer = Layer.effect(Stage, make).pipe(Layer.provide(realNode))
}
