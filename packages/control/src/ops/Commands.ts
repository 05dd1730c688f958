/**
 * `npm run ops -- <command>`: what ops do by hand. Postgres and the audit first, Redis right after. `--json` prints what a
 * program can read; a failure is one line and an exit code of 1.
 */
import { CustomerId } from "@berth/domain/Ids"
import type { SwitchName } from "@berth/domain/Switches"
import { ModelId } from "@berth/domain/Tiers"
import { Argument, Command, Flag } from "effect/cli"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as AgentRequests from "../provision/AgentRequests.ts"
import * as Repair from "./Repair.ts"
import * as Standing from "./Standing.ts"
import * as Stops from "./Stops.ts"

const ops = Command.make("ops").pipe(
  Command.withSharedFlags({
    json: Flag.Boolean("json").pipe(Flag.withDescription("Print JSON"), Flag.withDefault(false)),
    actor: Flag.String("actor").pipe(
      Flag.withDescription("Who does it, for the audit (OPS_ACTOR)"),
      Flag.withFallbackConfig(Config.String("OPS_ACTOR").pipe(Config.withDefault("ops"))),
    ),
  }),
  Command.withDescription("What ops do by hand; every change stands in the audit"),
)

const print = (value: unknown, text: string) =>
  Effect.flatMap(ops, ({ json }) => Console.log(json ? JSON.stringify(value) : text))

const reason = Flag.String("reason").pipe(
  Flag.withDescription("Why, for the audit and for whoever looks next"),
  Flag.withSchema(Schema.NonEmptyString),
)
const model = Argument.Literals("model", ModelId.literals).pipe(Argument.withDescription("A model of the catalogue"))
const customer = Argument.String("customer").pipe(
  Argument.withDescription("A customer's id"),
  Argument.withSchema(CustomerId),
)

const whatOf = (name: SwitchName): string => (name === "all" ? "All upstream traffic" : name.replace(":", " "))
const when = (carried: Stops.Carried): string =>
  carried === "told" ? "" : " Redis is not told yet: billing does it within a second of reaching it."

const stop = Effect.fn("ops.stop")(function* (name: SwitchName, why: string) {
  const { actor } = yield* ops
  const carried = yield* Stops.stop(name, why, actor)
  yield* print({ name, stopped: true, reason: why, carried }, `${whatOf(name)} is stopped.${when(carried)}`)
})

const resume = Effect.fn("ops.resume")(function* (name: SwitchName) {
  const { actor } = yield* ops
  const carried = yield* Stops.resume(name, actor)
  const text = carried === undefined ? `${whatOf(name)} was not stopped.` : `${whatOf(name)} goes on.${when(carried)}`
  yield* print({ name, stopped: false, wasStopped: carried !== undefined, carried: carried ?? null }, text)
})

const all = "all upstream traffic of every customer"

const stops = Command.make("stop").pipe(
  Command.withDescription("Stops traffic within a second, calls in flight too"),
  Command.withSubcommands([
    Command.make("all", { reason }, (flags) => stop("all", flags.reason)).pipe(Command.withDescription(`Stops ${all}`)),
    Command.make("model", { model, reason }, (flags) => stop(`model:${flags.model}`, flags.reason)).pipe(
      Command.withDescription("Stops one model"),
    ),
    Command.make("customer", { customer, reason }, (flags) =>
      Effect.flatMap(Stops.known(flags.customer), (id) => stop(`customer:${id}`, flags.reason)),
    ).pipe(Command.withDescription("Stops one customer's traffic; their agent stays up")),
  ]),
)

const resumes = Command.make("resume").pipe(
  Command.withDescription("Lets go on what was stopped"),
  Command.withSubcommands([
    Command.make("all", {}, () => resume("all")).pipe(Command.withDescription(`Lets go on ${all}`)),
    Command.make("model", { model }, (flags) => resume(`model:${flags.model}`)).pipe(
      Command.withDescription("Lets one model go on"),
    ),
    Command.make("customer", { customer }, (flags) => resume(`customer:${flags.customer}`)).pipe(
      Command.withDescription("Lets one customer go on"),
    ),
  ]),
)

const switches = Command.make("switches", {}, () =>
  Effect.gen(function* () {
    const stopped = yield* Stops.all
    const lines = stopped.map(
      ({ name, reason, actor, at }) =>
        `${name.padEnd(24)} since ${DateTime.formatIso(DateTime.makeUnsafe(at))} by ${actor}: ${reason}`,
    )
    yield* print(stopped, lines.length === 0 ? "Nothing is stopped." : lines.join("\n"))
  }),
).pipe(Command.withDescription("What is stopped, since when, by whom and why"))

const usage = Command.make("usage", { customer }, (flags) =>
  Effect.gen(function* () {
    const standing = yield* Standing.of(yield* Stops.known(flags.customer))
    yield* print(standing, Standing.textOf(standing))
  }),
).pipe(Command.withDescription("How a customer stands: balance, caps, what stops them, usage by model and day"))

const drift = Command.make("drift", { customer }, (flags) =>
  Effect.gen(function* () {
    const customerId = yield* Stops.known(flags.customer)
    const verdict = yield* Repair.driftOf(customerId)
    yield* print({ customerId, verdict }, `${customerId} in Redis:\n${Repair.textOf(verdict)}`)
  }),
).pipe(Command.withDescription("Whether a customer's allowance in Redis is as the ledger says"))

const rebuild = Command.make("rebuild", { customer }, (flags) =>
  Effect.gen(function* () {
    const { actor } = yield* ops
    const customerId = yield* Stops.known(flags.customer)
    const { before, after } = yield* Repair.repair(customerId, actor)
    const text = `${customerId} in Redis, before:\n${Repair.textOf(before)}\nand now:\n${Repair.textOf(after)}`
    yield* print({ customerId, before, after }, text)
  }),
).pipe(Command.withDescription("Builds a customer's allowance in Redis anew from the ledger"))

const request = Effect.fn("ops.request")(function* (
  id: CustomerId,
  action: AgentRequests.Action,
  why: string,
  text: string,
) {
  const { actor } = yield* ops
  const customerId = yield* Stops.known(id)
  yield* AgentRequests.ask(customerId, action, actor, why)
  yield* print({ customerId, action, reason: why, asked: true }, text)
})

const deletes = Command.make("delete", { customer, reason }, (flags) =>
  request(
    flags.customer,
    "delete",
    flags.reason,
    `${flags.customer}: the subscription ends and the agent is deleted, once its data is exported.`,
  ),
).pipe(Command.withDescription("Ends a customer's subscription and deletes the agent, after its data is exported"))

const waives = Command.make("waive-export", { customer, reason }, (flags) =>
  request(
    flags.customer,
    "waive-export",
    flags.reason,
    `${flags.customer}: the export is given up; if the agent is being deleted, its data is deleted without one.`,
  ),
).pipe(Command.withDescription("Lets the data of an agent that is being deleted go without an export; no way back"))

const restarts = Command.make("restart", { customer, reason }, (flags) =>
  request(
    flags.customer,
    "restart",
    flags.reason,
    `${flags.customer}: the agent's pod is replaced, once it has finished the turn in flight.`,
  ),
).pipe(Command.withDescription("Restarts a customer's agent; its data stays"))

const rotates = Command.make("rotate-token", { customer, reason }, (flags) =>
  request(
    flags.customer,
    "rotate-token",
    flags.reason,
    `${flags.customer}: the agent restarts with another token; the old one ends once it runs.`,
  ),
).pipe(
  Command.withDescription(
    "Gives a customer's agent another token for the token-proxy; the old one ends once it runs with it",
  ),
)

/** Needs SqlClient, AllowanceSource and Audit; uses Allowance and Switches if they are there. */
export const commands = ops.pipe(
  Command.withSubcommands([stops, resumes, switches, usage, drift, rebuild, deletes, waives, restarts, rotates]),
)
