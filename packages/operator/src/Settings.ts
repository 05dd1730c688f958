/** What the operator is told about the world it builds agents in. Read once; the builders get it as plain data. */
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

export interface OperatorSettings {
  /** The OpenClaw image of each channel, by digest. */
  readonly images: { readonly stable: string }
  /** Berth's own image, by digest: it exports the data of an agent that is deleted. */
  readonly exporterImage: string
  /** The agents' only provider, as they see it through cluster DNS. */
  readonly proxyUrl: string
  /** The port on which token-proxy pods listen. NetworkPolicy sees addresses after the Service is resolved. */
  readonly proxyPort: number
  /** Another Telegram Bot API than Telegram's own. */
  readonly telegramApiRoot: string | undefined
  /** The cluster's own public addresses (CIDR), which agents must not reach. Those of its nodes are added as they are seen. */
  readonly clusterRanges: ReadonlyArray<string>
  readonly storageClass: string
  /** Whether the storage class can grow a claim; else a claim keeps the size it was made with. */
  readonly volumeExpansion: boolean
  /** RuntimeClass of agents' pods, such as `gvisor`; the cluster's own default unless told. */
  readonly runtimeClass: string | undefined
  /** PriorityClass of agents' pods; the cluster's own default unless told. */
  readonly priorityClass: string | undefined
  /** A node label, such as `topology.kubernetes.io/zone`, over whose values new agents are spread; none unless told. */
  readonly topologySpread: string | undefined
}

/** Stands for an image where nothing pulls one: the memory cluster's pods are effects. */
export const embeddedImage = `embedded.invalid/openclaw@sha256:${"0".repeat(64)}`

export const embedded: OperatorSettings = {
  images: { stable: embeddedImage },
  exporterImage: embeddedImage.replace("openclaw", "berth"),
  proxyUrl: "http://token-proxy.platform.svc/v1",
  proxyPort: 8080,
  telegramApiRoot: undefined,
  clusterRanges: [],
  storageClass: "local-path",
  volumeExpansion: false,
  runtimeClass: undefined,
  priorityClass: undefined,
  topologySpread: undefined,
}

const Image = Schema.String.check(
  Schema.isPattern(/^[^\s@]+@sha256:[0-9a-f]{64}$/, { description: "an image by digest, name@sha256:…" }),
)
const list = (text: string) => text.split(",").flatMap((one) => (one.trim() === "" ? [] : [one.trim()]))

export class Settings extends Context.Service<Settings, OperatorSettings>()("@berth/operator/Settings") {
  static readonly layerOf = (settings: Partial<OperatorSettings> = {}): Layer.Layer<Settings> =>
    Layer.succeed(Settings)({ ...embedded, ...settings })

  /**
   * From OPENCLAW_IMAGE, EXPORTER_IMAGE, TENANT_PROXY_URL, TENANT_PROXY_PORT, TELEGRAM_API_ROOT, CLUSTER_RANGES, STORAGE_CLASS,
   * VOLUME_EXPANSION, RUNTIME_CLASS, PRIORITY_CLASS and TOPOLOGY_SPREAD.
   */
  static readonly layer = Layer.effect(
    Settings,
    Effect.gen(function* () {
      return {
        images: { stable: yield* Config.schema(Image, "OPENCLAW_IMAGE").pipe(Config.withDefault(embeddedImage)) },
        exporterImage: yield* Config.schema(Image, "EXPORTER_IMAGE").pipe(Config.withDefault(embedded.exporterImage)),
        proxyUrl: yield* Config.String("TENANT_PROXY_URL").pipe(Config.withDefault(embedded.proxyUrl)),
        proxyPort: yield* Config.Port("TENANT_PROXY_PORT").pipe(Config.withDefault(embedded.proxyPort)),
        telegramApiRoot: yield* Config.String("TELEGRAM_API_ROOT").pipe(Config.withDefault(undefined)),
        clusterRanges: list(yield* Config.String("CLUSTER_RANGES").pipe(Config.withDefault(""))),
        storageClass: yield* Config.String("STORAGE_CLASS").pipe(Config.withDefault(embedded.storageClass)),
        volumeExpansion: yield* Config.Boolean("VOLUME_EXPANSION").pipe(Config.withDefault(false)),
        runtimeClass: yield* Config.String("RUNTIME_CLASS").pipe(Config.withDefault(undefined)),
        priorityClass: yield* Config.String("PRIORITY_CLASS").pipe(Config.withDefault(undefined)),
        topologySpread: yield* Config.String("TOPOLOGY_SPREAD").pipe(Config.withDefault(undefined)),
      }
    }),
  )
}
