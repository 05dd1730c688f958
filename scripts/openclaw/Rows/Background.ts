/** Turns that nobody waits for: what they are taken for, and that a refused heartbeat leaves its user in peace. */
import * as Effect from "effect/Effect"
import * as Stub from "../../../packages/proxy/test/StubUpstream.ts"
import type { Exchange } from "../Relay.ts"
import type { Row } from "../Row.ts"
import { counts, normal, type Stage } from "../Stage.ts"
import * as Obstacles from "./Obstacles.ts"

interface Job {
  readonly id: string
  readonly name: string
}

const jobs = (stage: Stage) =>
  Effect.map(
    stage.agent.now.command("automations", "list", "--all", "--json"),
    (out) => (JSON.parse(out) as { readonly jobs: ReadonlyArray<Job> }).jobs,
  )
const run = (stage: Stage, id: string) => stage.agent.now.command("automations", "run", id)

const beat = (stage: Stage) =>
  Effect.gen(function* () {
    const heartbeat = (yield* jobs(stage)).find(({ name }) => /^heartbeat/i.test(name))
    if (heartbeat === undefined) return yield* Effect.die("there is no heartbeat job")
    return yield* run(stage, heartbeat.id)
  })

/** Runs a job of this name, which is made if it is not there. */
const scheduled =
  (name: string, ...how: ReadonlyArray<string>) =>
  (stage: Stage) =>
    Effect.gen(function* () {
      const known = (yield* jobs(stage)).find((job) => job.name === name)
      const command = ["automations", "create", "--every", "24h", "--name", name, ...how, "--json"]
      const { id } = known ?? (JSON.parse(yield* stage.agent.now.command(...command)) as Job)
      return yield* run(stage, id)
    })
const news = scheduled(
  "Morning news",
  "--session",
  "isolated",
  "--message",
  "Tell me the news.",
  "--announce",
  "--channel",
  "telegram",
  "--to",
  "4242",
)
const reminder = scheduled("Reminder", "--session", "main", "--system-event", "Reminder: water the plants")

/** Whether the usage of these requests stands as background turns'. */
const counted = (background: boolean) => (stage: Stage, exchanges: ReadonlyArray<Exchange>) =>
  Effect.map(stage.events, (events) => {
    const traces = new Set(exchanges.map(({ traceId }) => traceId))
    const own = events.flatMap((event) => (event._tag === "usage" && traces.has(event.traceId) ? [event] : []))
    return own.length > 0 && own.every((event) => event.background === background)
      ? []
      : [`expected usage with background ${background}, saw ${JSON.stringify(own.map((one) => one.background))}`]
  })

const row = (name: string, more: Omit<Row, "name" | "next" | "requests">): Row => ({
  name,
  requests: [1, 1],
  next: true,
  windowSeconds: 20,
  ...more,
})

export const rows: ReadonlyArray<Row> = [
  row("a user's turn counts as the user's", { obstacle: Obstacles.none, sees: normal, verify: counted(false) }),
  row("a heartbeat counts as background", {
    obstacle: Obstacles.none,
    turn: beat,
    // The first one is introduced.
    sees: /word0 word1/,
    verify: counted(true),
  }),
  row("a scheduled turn counts as background", {
    obstacle: Obstacles.none,
    turn: news,
    sees: normal,
    verify: counted(true),
  }),
  row("a reminder counts as background", {
    // What says the same as the last heartbeat OpenClaw keeps to itself.
    obstacle: Obstacles.upstream(Stub.streaming(counts, { words: 6 })),
    turn: reminder,
    sees: normal,
    verify: counted(true),
  }),
  row("BackgroundLimitReached: heartbeat", {
    obstacle: Obstacles.terms({ backgroundCap: 100 }),
    turn: beat,
    sees: undefined,
  }),
  row("BackgroundLimitReached: scheduled turn", {
    obstacle: Obstacles.terms({ backgroundCap: 100 }),
    turn: news,
    sees: undefined,
  }),
  row("BackgroundLimitReached: reminder", {
    obstacle: Obstacles.terms({ backgroundCap: 100 }),
    turn: reminder,
    sees: /Monthly limit of background turns reached: .* Resets December 1, 2099\./,
  }),
  row("BackgroundLimitReached: the user's own message", {
    obstacle: Obstacles.terms({ backgroundCap: 100 }),
    sees: normal,
  }),
  row("UsageLimitReached: heartbeat", {
    obstacle: Obstacles.terms({ plan: 5_000, nextPlan: 5_000 }),
    turn: beat,
    sees: undefined,
  }),
  row("AgentPaused: heartbeat", { obstacle: Obstacles.terms({ paused: true }), turn: beat, sees: undefined }),
]
