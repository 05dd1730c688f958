/**
 * A look at one agent as it is now: how it does, and what it last wrote into its log. The operator answers, since it alone
 * reaches the cluster; the api asks for customers and staff. Invariant: no secret is in an answer. Nothing here decides
 * anything: when the operator can't be asked, everything goes on.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { CustomerId } from "./Ids.ts"
import { Phase } from "./Lifecycle.ts"

/** Lines of a log that are given at most, and unless told. */
export const mostLines = 500
export const usualLines = 100

export const LogQuery = {
  /** How many of the newest lines; 100 unless told, 500 at most. */
  tail: Schema.optionalKey(
    Schema.NumberFromString.check(Schema.isInt(), Schema.isBetween({ minimum: 1, maximum: mostLines })),
  ),
  /** `true`: of the run before the last restart. */
  previous: Schema.optionalKey(Schema.Literals(["true", "false"])),
}

export const AgentLogs = Schema.Struct({
  /** Oldest first. */
  lines: Schema.Array(
    Schema.Struct({
      /** When it was written, epoch ms. */
      at: Schema.NullOr(Schema.Int),
      /** One line, secrets masked; what is longer than 2,000 characters is cut. */
      text: Schema.String,
    }),
  ),
})
export type AgentLogs = typeof AgentLogs.Type

export const AgentHealth = Schema.Struct({
  customerId: CustomerId,
  phase: Phase,
  /** The generation of the desired state that phase and conditions stand for. */
  generation: Schema.Int,
  /** Whether its process says just now that it and its channels are well; null if it was not asked or did not answer. */
  answers: Schema.NullOr(Schema.Boolean),
  conditions: Schema.Array(
    Schema.Struct({
      type: Schema.String,
      status: Schema.Literals(["True", "False"]),
      reason: Schema.String,
      /** In words that its owner can act on. */
      message: Schema.String,
      /** Epoch ms. */
      since: Schema.Int,
    }),
  ),
  /** Its process; null while there is none. */
  process: Schema.NullOr(
    Schema.Struct({
      /** Epoch ms; null while it has not started. */
      startedAt: Schema.NullOr(Schema.Int),
      restarts: Schema.Int,
      /** How the run before ended, if there was one. */
      lastEnd: Schema.NullOr(
        Schema.Struct({
          why: Schema.Literals(["outOfMemory", "error", "stopped"]),
          /** Epoch ms. */
          at: Schema.NullOr(Schema.Int),
        }),
      ),
    }),
  ),
  /** Bytes of its volume; null if the cluster does not say. */
  disk: Schema.NullOr(Schema.Struct({ used: Schema.Int, capacity: Schema.Int })),
})
export type AgentHealth = typeof AgentHealth.Type

export class AgentUnknown extends Schema.TaggedError<AgentUnknown>()(
  "AgentUnknown",
  { message: Schema.String },
  { httpApiStatus: 404 },
) {}

/** It has not started yet, is stopped, or had no run before. */
export class NoLogs extends Schema.TaggedError<NoLogs>()(
  "NoLogs",
  { message: Schema.String },
  { httpApiStatus: 409 },
) {}

/** The cluster or the operator does not answer; the same call may be made again. */
export class InspectionUnavailable extends Schema.TaggedError<InspectionUnavailable>()(
  "InspectionUnavailable",
  { message: Schema.String },
  { httpApiStatus: 503 },
) {
  static readonly now = new InspectionUnavailable({
    message: "The agent can't be looked at right now. Try again in a moment.",
  })
}

export interface LogOptions {
  /** From 1 to `mostLines`. */
  readonly tail: number
  /** Of the run before the last restart. */
  readonly previous: boolean
}

export const logOptions = (query: { readonly tail?: number; readonly previous?: "true" | "false" }): LogOptions => ({
  tail: query.tail ?? usualLines,
  previous: query.previous === "true",
})

export class AgentInspection extends Context.Service<
  AgentInspection,
  {
    logs(
      customerId: CustomerId,
      options: LogOptions,
    ): Effect.Effect<AgentLogs, AgentUnknown | NoLogs | InspectionUnavailable>
    health(customerId: CustomerId): Effect.Effect<AgentHealth, AgentUnknown | InspectionUnavailable>
  }
>()("@berth/domain/AgentInspection") {
  /** Where no operator can be asked. */
  static readonly layerNone: Layer.Layer<AgentInspection> = Layer.succeed(AgentInspection)({
    logs: () => Effect.fail(InspectionUnavailable.now),
    health: () => Effect.fail(InspectionUnavailable.now),
  })

  /** Answers what it is given; any other agent is unknown. */
  static readonly layerMemory = (
    agents: ReadonlyMap<CustomerId, { readonly health: AgentHealth; readonly logs: AgentLogs }>,
  ): Layer.Layer<AgentInspection> => {
    const known = (customerId: CustomerId) => {
      const agent = agents.get(customerId)
      return agent === undefined
        ? Effect.fail(new AgentUnknown({ message: "There is no such agent." }))
        : Effect.succeed(agent)
    }
    return Layer.succeed(AgentInspection)({
      logs: (customerId, { tail }) => Effect.map(known(customerId), ({ logs }) => ({ lines: logs.lines.slice(-tail) })),
      health: (customerId) => Effect.map(known(customerId), ({ health }) => health),
    })
  }
}
