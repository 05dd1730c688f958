/**
 * The billing service: its rules as services, its workers as fibers, its webhook as a route. Every worker is safe when two
 * billing processes run, restarts by itself when it fails, and finishes what it holds when the process drains.
 */
import type { AgentEvents } from "@berth/domain/AgentEvents"
import type { Allowance } from "@berth/domain/Allowance"
import type { AllowanceSource } from "@berth/domain/AllowanceSource"
import type { CustomerBus } from "@berth/domain/CustomerBus"
import type { ExportStore } from "@berth/domain/Exports"
import type { JobQueue } from "@berth/domain/JobQueue"
import type { Sealer } from "@berth/domain/Seal"
import type { Switches } from "@berth/domain/Switches"
import type { UsageEvents } from "@berth/domain/UsageEvents"
import type { Work } from "@berth/domain/Work"
import * as Config from "effect/Config"
import type * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import * as ExportExpiry from "../exports/ExportExpiry.ts"
import type { ExportLinks } from "../exports/ExportLinks.ts"
import { Exports } from "../exports/Exports.ts"
import { CustomerEvents } from "../notify/CustomerEvents.ts"
import type { Mailer } from "../notify/Mailer.ts"
import * as Mails from "../notify/Mails.ts"
import * as AgentReports from "../provision/AgentReports.ts"
import * as AgentRequests from "../provision/AgentRequests.ts"
import { Agents } from "../provision/Agents.ts"
import { AgentSecrets } from "../provision/AgentSecrets.ts"
import { JobOutbox } from "../provision/JobOutbox.ts"
import { relay } from "../provision/Relay.ts"
import * as AllowanceSync from "./AllowanceSync.ts"
import { Allowances } from "./Allowances.ts"
import { Audit } from "./Audit.ts"
import * as DriftCheck from "./DriftCheck.ts"
import * as Dunning from "./Dunning.ts"
import * as Lapses from "./Lapses.ts"
import { Orders } from "./Orders.ts"
import type { Payments } from "./Payments.ts"
import * as Periods from "./Periods.ts"
import { Purchase } from "./Purchase.ts"
import { record } from "./Recorder.ts"
import * as StripeEvents from "./StripeEvents.ts"
import * as SwitchSync from "./SwitchSync.ts"
import * as Worker from "../Worker.ts"

/** From a paid checkout to an agent: for `POST /provision` in api and for the webhook here. */
export const purchases: Layer.Layer<
  Purchase | Agents | JobOutbox | Allowances | Audit | Orders | AgentSecrets | CustomerEvents,
  never,
  SqlClient | Work | Payments | Sealer | CustomerBus | SecureRandom.SecureRandom
> = Purchase.layer.pipe(
  Layer.provideMerge(Agents.layer),
  Layer.provideMerge(Layer.mergeAll(JobOutbox.layer, Allowances.layer, Audit.layer)),
  Layer.provideMerge(Layer.mergeAll(Orders.layer, AgentSecrets.layer, CustomerEvents.layer)),
)

const minute = 60_000
const idle = 300
/** After failures. What guards the proxies' store is back as soon as the store is: until then it may admit too much. */
const soon = 1_000

/** Redis back means work at once, however long it was away; nothing of it is ever given up. */
const toRedis = { attempts: Number.POSITIVE_INFINITY, longestWaitMillis: 5_000 }

/** A week of tries: Stripe may be away, or the customer's bot token still missing. */
const fromStripe = { attempts: 1_000, longestWaitMillis: 10 * minute }

/** A mail server may be away for a day. */
const toPeople = { attempts: 35, longestWaitMillis: 60 * minute }

const workers = Layer.unwrap(
  Effect.gen(function* () {
    const resync = yield* Config.Duration("RESYNC_INTERVAL").pipe(Config.withDefault(Duration.minutes(5)))
    const drift = yield* Config.Duration("DRIFT_INTERVAL").pipe(Config.withDefault(Duration.minutes(5)))
    // Resyncs are jittered by a fifth, so three of them have passed for sure after this.
    const silence = Duration.toMillis(resync) * 4
    return Layer.mergeAll(
      Worker.layer("stripe events", Worker.drain({ queue: "stripe", ...fromStripe })(StripeEvents.handle), idle),
      Worker.layer("job relay", Worker.drain({ queue: "jobs", ...toRedis })(relay), idle),
      Worker.layer("allowance changes", Worker.drain({ queue: "allowance", ...toRedis })(AllowanceSync.sync), idle),
      Worker.layer("mails", Worker.drain({ queue: "mails", ...toPeople })(Mails.deliver), idle),
      Worker.layer("agent events", AgentReports.consume, 0),
      Worker.layer("agent requests", AgentRequests.carryOut, 1_000),
      Worker.layer("expired exports", Effect.as(ExportExpiry.removeExpired, false), 10 * minute),
      Worker.layer("usage recorder", record, idle, soon),
      Worker.layer("allowance healer", Effect.as(AllowanceSync.heal, false), 5_000, soon),
      Worker.layer("switches", Effect.as(SwitchSync.sync, false), 500, soon),
      Worker.layer("drift check", Effect.as(DriftCheck.checkAll, false), Duration.toMillis(drift)),
      Worker.layer("periods", Effect.as(Periods.open, false), minute),
      Worker.layer("unpaid renewals", Effect.as(Dunning.tell, false), minute),
      Worker.layer("ended service", Effect.as(Lapses.carryOut, false), minute),
      Worker.layer("silent agents", Effect.as(AgentReports.wakeSilent(silence), false), minute),
    )
  }),
)

/** Everything that billing does by itself. The webhook is a route of its own: `StripeWebhook.layer`. */
export const layer = (
  options: Mails.Options,
): Layer.Layer<
  never,
  Config.ConfigError,
  | SqlClient
  | Work
  | Payments
  | Sealer
  | CustomerBus
  | SecureRandom.SecureRandom
  | Allowance
  | AllowanceSource
  | UsageEvents
  | Switches
  | JobQueue
  | AgentEvents
  | Mailer
  | ExportStore
  | ExportLinks
> => workers.pipe(Layer.provide(Layer.mergeAll(Exports.layer, Mails.Mails.layer(options))), Layer.provide(purchases))

/** Billing can work while Postgres answers; Redis and Stripe may be away, their work waits. */
export const ready: Effect.Effect<boolean, never, SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* Effect.isSuccess(sql`SELECT 1`)
})

export { layer as routes } from "./StripeWebhook.ts"
