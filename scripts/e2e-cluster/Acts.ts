/**
 * The story, act by act: what a customer lives through with an agent on a real cluster. Each act checks what it tells and
 * leaves the agent running for the next. Fails with `StoryFailed` at the first thing that is not so.
 */
import { client } from "@berth/control/demo/Customer"
import { StoryFailed } from "@berth/control/demo/Inbox"
import { tellStory } from "@berth/control/demo/Story"
import type { CustomerId } from "@berth/domain/Ids"
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { isReady } from "../../packages/operator/test/cluster/ControlPlane.ts"
import { remainsOf, volumeFolderOf } from "../../packages/operator/test/platform/Remains.ts"
import type { Person } from "./Telegram.ts"
import * as Elsewhere from "./Elsewhere.ts"
import { processesOf } from "./Processes.ts"
import { compiledIn, type Start } from "./Starts.ts"
import * as Timeline from "./Timeline.ts"
import type { World } from "./World.ts"

/** What the story reads of a pod. */
interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string }
  readonly status?: { readonly containerStatuses?: ReadonlyArray<{ readonly restartCount: number }> }
}

/** Whom an act is about. */
export interface Customer {
  readonly customerId: CustomerId
  readonly namespace: string
  readonly bot: string
  /** Their session on the page. */
  readonly bearer: string
  /** Those that were timed, the first of all before the others. */
  readonly starts: Array<Start>
}

export const alice: Person = { id: 4242, username: "alice", first_name: "Alice" }
const mallory: Person = { id: 6666, username: "mallory", first_name: "Mallory" }

const check = (holds: boolean, message: string) => (holds ? Effect.void : Effect.fail(new StoryFailed({ message })))
const pods = ({ namespace }: Customer) =>
  `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent("app.kubernetes.io/name=openclaw")}`
const agentPath = ({ customerId }: Customer) => `/apis/berth.dev/v1alpha1/agents/${customerId}`

/** The agent's pod, once there is one that is Ready and not on its way out. */
const readyPod = ({ node }: World, customer: Customer, not = "") =>
  Effect.map(
    node.api.until(pods(customer), (list) => list.items.some(usable(not)), 120),
    (list): Pod => list.items.find(usable(not)),
  )
const usable = (not: string) => (pod: Pod) =>
  isReady(pod) && pod.metadata.deletionTimestamp === undefined && pod.metadata.uid !== not

/** By force: its processes get no time to end well. */
const deletePod = ({ node }: World, namespace: string, which: string) =>
  node.kubectl(["delete", "pod", which, `--namespace=${namespace}`, "--grace-period=0", "--force"])

const phase = ({ node }: World, customer: Customer, wanted: string) =>
  node.api.until(agentPath(customer), (agent) => agent?.status?.phase === wanted, 120)

/** Waits until another pod than `not` is Ready, and keeps how long its start took. */
const timedStart = Effect.fn("Acts.timedStart")(function* ({ node }: World, customer: Customer, act: string, not = "") {
  const { namespace, starts } = customer
  const compiled = () => compiledIn(volumeFolderOf(node.folder, namespace))
  starts.push(
    yield* Timeline.start(node.api, { act, compiled, namespace, not }).pipe(
      Effect.timeoutOrElse({
        duration: "2 minutes",
        orElse: () => Effect.fail(new StoryFailed({ message: "it was not Ready again within two minutes" })),
      }),
    ),
  )
})

/** What only a memory of the conversation can answer. */
const remembers = Effect.fn("Acts.remembers")(function* ({ telegram }: World, { bot }: Customer) {
  const { answer, millis } = yield* telegram.talk(bot, alice, "What is my cat called?", 90)
  yield* check(answer === "Your cat is called Mitzi.", `it said: ${answer}`)
  return `"${answer}" after ${millis} ms`
})

/** From a visitor's first words to the first reply of a paid agent, all over HTTP, as `npm run demo` tells it. */
export const sold = Effect.fn("Acts.sold")(function* (world: World, bot: string) {
  const { kimi, node, origin, telegram } = world
  const { first, seen } = yield* Timeline.watch(node.api, {
    chat: telegram.chat(bot, alice),
    modelAsked: () => kimi.calls[0]?.at,
    compiled: (namespace) => compiledIn(volumeFolderOf(node.folder, namespace)),
  })
  const told = yield* Effect.scoped(
    tellStory({ origin, proxyOrigin: origin, botUsername: bot, toTheEnd: false, patience: "4 minutes" }),
  ).pipe(Effect.provide(Layer.mergeAll(FetchHttpClient.layer, NodeSocket.layerWebSocketConstructor)))
  const namespace = `customer-${told.accountId}`
  const { "OpenClaw started": started, Ready: ready } = seen
  const { compiled, cpuMillis } = first
  const starts: Array<Start> =
    started === undefined || ready === undefined || compiled === undefined || cpuMillis === undefined
      ? []
      : [{ act: "its first start", compiled, millis: ready - started, cpuMillis }]
  const customer: Customer = { customerId: told.accountId, namespace, bot, bearer: told.bearer, starts }
  const events = yield* node.api.get(`/api/v1/namespaces/${namespace}/events?fieldSelector=reason%3DPulled`)
  const pulls: ReadonlyArray<string> = events.items.map(({ message }: { readonly message: string }) => message)
  return { customer, used: told.used, begun: yield* world.bookedAt(customer.customerId), seen, pulls }
})

export const told = Effect.fn("Acts.told")(function* (world: World, customer: Customer) {
  const { kimi, telegram } = world
  const begun = Date.now()
  const { answer, millis } = yield* telegram.talk(customer.bot, alice, "My cat is called Mitzi.")
  yield* check(answer === "I will remember that.", `it said: ${answer}`)
  const asked = (kimi.calls.at(-1)?.at ?? begun) - begun
  return `answered after ${millis} ms, the model asked after ${asked}; ${yield* remembers(world, customer)}`
})

export const stranger = Effect.fn("Acts.stranger")(function* ({ kimi, telegram }: World, { bot }: Customer) {
  const before = kimi.calls.length
  const message = yield* telegram.say(bot, mallory, "Tell me everything about Alice")
  yield* Effect.sleep("10 seconds")
  const answers = yield* telegram.after(bot, mallory, message)
  yield* check(answers.length === 0, `a stranger was told: ${answers.join(" / ")}`)
  yield* check(kimi.calls.length === before, "a stranger's words reached the model")
  return "no reply and no call of the model in 10 s"
})

export const suspended = Effect.fn("Acts.suspended")(function* (world: World, customer: Customer) {
  const { node, telegram } = world
  const begun = performance.now()
  yield* world.change(customer.customerId, { _tag: "Suspend", reason: "customer" })
  yield* node.api.until(pods(customer), (list) => list.items.length === 0, 60)
  const stopped = Math.round(performance.now() - begun)
  yield* phase(world, customer, "suspended")
  const message = yield* telegram.say(customer.bot, alice, "Are you there?")
  yield* Effect.sleep("4 seconds")
  yield* check((yield* telegram.after(customer.bot, alice, message)).length === 0, "a suspended agent answered")

  const resumed = performance.now()
  const start = yield* Effect.forkChild(timedStart(world, customer, "stopped and started again"))
  yield* world.change(customer.customerId, { _tag: "Resume", reason: "customer" })
  yield* Fiber.join(start)
  const back = Math.round(performance.now() - resumed)
  yield* phase(world, customer, "active")
  // Telegram has kept what was said meanwhile.
  yield* telegram.after(customer.bot, alice, message).pipe(
    Effect.flatMap((answers) => check(answers.length > 0, "what was said meanwhile was never answered")),
    Effect.retry({ schedule: Schedule.spaced("200 millis"), times: 150 }),
  )
  return `stopped after ${stopped} ms, Ready again after ${back} ms; ${yield* remembers(world, customer)}`
})

export const podDeleted = Effect.fn("Acts.podDeleted")(function* (world: World, customer: Customer) {
  const { metadata } = yield* readyPod(world, customer)
  const begun = performance.now()
  const start = yield* Effect.forkChild(timedStart(world, customer, "its pod deleted by force", metadata.uid))
  yield* deletePod(world, customer.namespace, metadata.name)
  yield* Fiber.join(start)
  const back = Math.round(performance.now() - begun)
  return `Ready again after ${back} ms; ${yield* remembers(world, customer)}`
})

const restartsOf = (pod: Pod): number => pod.status?.containerStatuses?.[0]?.restartCount ?? 0

export const crashed = Effect.fn("Acts.crashed")(function* (world: World, customer: Customer) {
  const pod = yield* readyPod(world, customer)
  const processes = processesOf(pod.metadata.uid)
  yield* check(processes.length > 0, "the agent's processes are not to be found")
  const begun = performance.now()
  for (const pid of processes) process.kill(pid, "SIGKILL")
  const before = restartsOf(pod)
  yield* world.node.api.until(
    `/api/v1/namespaces/${customer.namespace}/pods/${pod.metadata.name}`,
    (now) => restartsOf(now) > before && isReady(now),
    120,
  )
  const back = Math.round(performance.now() - begun)
  return `kill -9; Ready again after ${back} ms; ${yield* remembers(world, customer)}`
})

export const kubeletAway = Effect.fn("Acts.kubeletAway")(function* (world: World, customer: Customer) {
  const { node } = world
  const before = yield* readyPod(world, customer)
  const meanwhile = yield* Effect.acquireUseRelease(
    node.kill("kubelet"),
    () => remembers(world, customer),
    () => Effect.orDie(node.start("kubelet")),
  )
  const after = yield* readyPod(world, customer)
  yield* check(
    after.metadata.uid === before.metadata.uid && restartsOf(after) === restartsOf(before),
    "the pod did not outlive the kubelet",
  )
  return `while it was away: ${meanwhile}; the same pod after its return`
})

export const operatorAway = Effect.fn("Acts.operatorAway")(function* (world: World, customer: Customer) {
  const { node, platform } = world
  const policy = `/apis/networking.k8s.io/v1/namespaces/${customer.namespace}/networkpolicies/openclaw`
  const service = `/api/v1/namespaces/${customer.namespace}/services/openclaw`
  const before = yield* readyPod(world, customer)
  const meant = yield* node.api.get(policy)
  const begun = performance.now()
  yield* deletePod(world, "platform", "--selector=app.kubernetes.io/name=operator")
  yield* node.api.remove(policy)
  yield* node.api.remove(service)
  yield* platform.rolledOut("operator")
  const put = yield* node.api.until(policy, (one) => one !== undefined, 120)
  yield* node.api.until(service, (one) => one !== undefined, 120)
  const back = Math.round(performance.now() - begun)
  yield* check(JSON.stringify(put.spec) === JSON.stringify(meant.spec), "another policy was put in its place")
  yield* phase(world, customer, "active")
  const after = yield* readyPod(world, customer)
  yield* check(after.metadata.uid === before.metadata.uid, "the agent's pod was replaced")
  return `policy and Service, deleted meanwhile, are there again after ${back} ms; ${yield* remembers(world, customer)}`
})

export const rebooted = Effect.fn("Acts.rebooted")(function* (world: World, customer: Customer) {
  const { node } = world
  const before = yield* readyPod(world, customer)
  const begun = performance.now()
  yield* node.reboot
  // Until the kubelet has looked, everything is still said to be as it was.
  yield* node.api.until(
    `/api/v1/namespaces/${customer.namespace}/pods/${before.metadata.name}`,
    (pod) => restartsOf(pod) > restartsOf(before) && isReady(pod),
    180,
  )
  yield* Effect.forEach(["operator", "token-proxy"], (name) => world.platform.rolledOut(name, 180), { discard: true })
  const back = Math.round(performance.now() - begun)
  yield* phase(world, customer, "active")
  return `everything is Ready again after ${back} ms; ${yield* remembers(world, customer)}`
})

/** What one call of `useUp` is said to have read: a report of more than a model can read is not believed. */
const mostRead = 250_000
const mostCalls = 40

/** Uses the whole month up by calls of the customer's own, past OpenClaw, which would take so long a prompt for its own. */
const useUp = Effect.fn("Acts.useUp")(function* ({ kimi, node }: World, { namespace }: Customer) {
  const secret = yield* node.api.get(`/api/v1/namespaces/${namespace}/secrets/openclaw`)
  const service = yield* node.api.get("/api/v1/namespaces/platform/services/token-proxy")
  const token = Buffer.from(secret.data.PROXY_TOKEN, "base64").toString()
  const call = Effect.promise(() =>
    fetch(`http://${service.spec.clusterIP}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "kimi-k2.6", stream: true, messages: [{ role: "user", content: "More of it." }] }),
    }).then(async (response) => ({ status: response.status, text: await response.text() })),
  )
  for (let calls = 1; calls <= mostCalls; calls++) {
    kimi.surcharge = mostRead
    const { status, text } = yield* call
    kimi.surcharge = 0
    if (status === 429 && text.includes("usage_limit_reached")) return
    yield* check(status === 200, `call ${calls} of those that use the month up was answered ${status}: ${text}`)
  }
  return yield* new StoryFailed({ message: `${mostCalls} calls of ${mostRead} tokens have not used the month up` })
})

export const overTheLimit = Effect.fn("Acts.overTheLimit")(function* (world: World, customer: Customer) {
  const { kimi, telegram } = world
  yield* useUp(world, customer)
  const before = kimi.calls.length
  const { answer, millis } = yield* telegram.talk(customer.bot, alice, "And now summarize it.")
  // OpenClaw puts signs of its own before an error.
  yield* check(answer.includes("Monthly usage limit reached."), `it said: ${answer}`)
  yield* check(kimi.calls.length === before, "the model was called though the month is used up")
  return `"${answer}" after ${millis} ms`
})

export const leaves = Effect.fn("Acts.leaves")(function* (world: World, customer: Customer) {
  const { node, openclaw, origin } = world
  yield* check(volumeFolderOf(node.folder, customer.namespace) !== undefined, "their volume is no folder of the node")
  const api = yield* client(origin, customer.bearer)
  const begun = performance.now()
  yield* api.account.deletion({ payload: { confirm: customer.bot } })
  const { export: exported } = yield* api.account.agent().pipe(
    Effect.filterOrFail(
      ({ phase }) => phase === "deleted",
      ({ phase }) => new StoryFailed({ message: `after four minutes their agent is ${phase}` }),
    ),
    Effect.retry({ schedule: Schedule.spaced("500 millis"), times: 480 }),
  )
  const gone = Math.round(performance.now() - begun)
  if (exported === null) return yield* new StoryFailed({ message: "all is deleted, and nothing was exported" })
  const left = yield* remainsOf(node, customer.customerId)
  yield* check(left.length === 0, `there is still ${left.join(", ")}`)
  yield* check(volumeFolderOf(node.folder, customer.namespace) === undefined, "their data is still on the node's disk")

  const answer = yield* Effect.promise(() => fetch(exported.url))
  yield* check(answer.status === 200, `the link answers ${answer.status}`)
  const restored = yield* Elsewhere.restored(node, openclaw.ref, yield* Effect.promise(() => answer.bytes()))
  yield* check(restored.includes("reverses a string"), "the conversation is not in what was restored")
  return `gone after ${gone} ms; ${exported.size} bytes, which a real OpenClaw verifies and restores`
}, Effect.provide(FetchHttpClient.layer))

export interface Act {
  readonly name: string
  /** What happens, as a sentence. */
  readonly title: string
  /** What came of it, in words. */
  readonly play: (world: World, customer: Customer) => Effect.Effect<string, { readonly message: string }>
}

/** In order; each leaves the agent as the next one wants it. */
export const acts: ReadonlyArray<Act> = [
  { name: "memory", title: "The agent remembers what it was told", play: told },
  { name: "stranger", title: "A stranger writes to the bot and gets nothing", play: stranger },
  { name: "suspend", title: "The customer has the agent stopped and started again", play: suspended },
  { name: "pod", title: "Its pod is deleted by force", play: podDeleted },
  { name: "crash", title: "Its processes are killed", play: crashed },
  { name: "kubelet", title: "The kubelet dies and comes back", play: kubeletAway },
  {
    name: "operator",
    title: "The operator dies, and somebody deletes the agent's policy meanwhile",
    play: operatorAway,
  },
  { name: "reboot", title: "The node loses power", play: rebooted },
  { name: "limit", title: "The month's tokens are used up, and the user reads why", play: overTheLimit },
  { name: "leaves", title: "The customer leaves, with their data, and nothing of them stays", play: leaves },
]
