/** What can be set about the proxy, read once. Tests give their own values; everything else comes from the environment. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export interface Limits {
  /** Bytes of a request body. */
  readonly bodyBytes: number
  /** Bytes that all requests under way may take up, bodies above all; one customer's a quarter of it. */
  readonly intakeBytes: number
  /** Proxies of ours before this process: how far from the right in `X-Forwarded-For` the client's address stands. */
  readonly trustedHops: number
  /** How long a request may wait for the customer's own open holds. */
  readonly allowanceWait: Duration.Duration
  /** How long an admitted request may wait for a place at the upstream. */
  readonly upstreamWait: Duration.Duration
  /** Calls in flight to the upstream. */
  readonly upstreamSlots: number
  /** How long the upstream may be silent before it answers: a thinking model may be so for minutes. */
  readonly firstByte: Duration.Duration
  /** How long it may be silent between two pieces of an answer. */
  readonly silence: Duration.Duration
  /** How often our balance at the upstream is read. */
  readonly balancePoll: Duration.Duration
  /** The balance below which operators are alerted, in the platform's currency. */
  readonly balanceFloor: number
  /** How long an answer is still read, for its usage, after its client has gone. */
  readonly hangUpDrain: Duration.Duration
  /** How long a client may take nothing of what waits for it; let go within twice that, as Node looks once per such time. */
  readonly clientStall: Duration.Duration
  /** How long a settlement is tried again while the store is away. */
  readonly settleRetry: Duration.Duration
  /** Where customers see their usage, without a slash at the end. */
  readonly publicUrl: string
}

export const defaults: Limits = {
  bodyBytes: 4 * 1024 * 1024,
  intakeBytes: 256 * 1024 * 1024,
  trustedHops: 0,
  allowanceWait: Duration.seconds(5),
  upstreamWait: Duration.seconds(30),
  upstreamSlots: 50,
  firstByte: Duration.minutes(5),
  silence: Duration.minutes(2),
  balancePoll: Duration.seconds(60),
  balanceFloor: 20,
  hangUpDrain: Duration.seconds(10),
  clientStall: Duration.seconds(30),
  settleRetry: Duration.minutes(15),
  publicUrl: "http://127.0.0.1:3000",
}

export class Settings extends Context.Service<Settings, Limits>()("@berth/proxy/Settings") {
  static readonly layer: Layer.Layer<Settings, Config.ConfigError> = Layer.effect(
    Settings,
    Effect.gen(function* () {
      const set = yield* Config.all({
        bodyBytes: Config.Int("PROXY_BODY_LIMIT").pipe(Config.withDefault(defaults.bodyBytes)),
        intakeBytes: Config.Int("PROXY_INTAKE_LIMIT").pipe(Config.withDefault(defaults.intakeBytes)),
        trustedHops: Config.Int("PROXY_TRUSTED_HOPS").pipe(Config.withDefault(defaults.trustedHops)),
        hangUpDrain: Config.Duration("PROXY_HANGUP_DRAIN").pipe(Config.withDefault(defaults.hangUpDrain)),
        upstreamSlots: Config.Int("KIMI_CONCURRENCY").pipe(Config.withDefault(defaults.upstreamSlots)),
        balancePoll: Config.Duration("KIMI_BALANCE_POLL").pipe(Config.withDefault(defaults.balancePoll)),
        balanceFloor: Config.Finite("KIMI_BALANCE_FLOOR").pipe(Config.withDefault(defaults.balanceFloor)),
        publicUrl: Config.String("PUBLIC_URL").pipe(Config.withDefault(defaults.publicUrl)),
      })
      return { ...defaults, ...set, publicUrl: set.publicUrl.replace(/\/+$/, "") }
    }),
  )

  static readonly layerOf = (changed: Partial<Limits>): Layer.Layer<Settings> =>
    Layer.succeed(Settings)({ ...defaults, ...changed })
}
